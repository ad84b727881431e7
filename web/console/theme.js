/* Before anything is drawn: dark or light, as it was chosen last time. */
{
    const chosen = localStorage.getItem('voicegate.theme');

    if (chosen === 'dark' || chosen === 'light') {
        document.documentElement.dataset.theme = chosen;
    }
}
