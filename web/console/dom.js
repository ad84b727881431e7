/* Elements, and changes of them only where something differs. */

const SVG = 'http://www.w3.org/2000/svg';


/* An element with attributes and children; text is a child, too. */
export function el(name, attributes = {}, ...children) {
    return fill(document.createElement(name), attributes, children);
}


export function svg(name, attributes = {}, ...children) {
    return fill(document.createElementNS(SVG, name), attributes, children);
}


function fill(element, attributes, children) {
    for (const [key, value] of Object.entries(attributes)) {
        if (key.startsWith('on')) {
            element.addEventListener(key.slice(2), value);
        } else if (value !== null && value !== undefined && value !== false) {
            element.setAttribute(key, value === true ? '' : value);
        }
    }
    element.append(...children.filter((child) => child !== null));

    return element;
}


/* Reading the page is dear, so what was written is remembered. */
const written = new WeakMap();


function changed(node, key, value) {
    let known = written.get(node);

    if (known === undefined) {
        known = {};
        written.set(node, known);
    }
    if (known[key] === value) {
        return false;
    }
    known[key] = value;

    return true;
}


export function setText(node, text) {
    if (changed(node, 'text', text)) {
        node.textContent = text;
    }
}


/* An attribute; null takes it away. */
export function setAttribute(node, name, value) {
    if (!changed(node, `@${name}`, value)) {
        return;
    }
    if (value === null) {
        node.removeAttribute(name);
    } else {
        node.setAttribute(name, value);
    }
}


export function setStyle(node, name, value) {
    if (changed(node, `.${name}`, value)) {
        node.style.setProperty(name, value);
    }
}


export function setHidden(node, hidden) {
    if (changed(node, 'hidden', hidden)) {
        node.hidden = hidden;
    }
}
