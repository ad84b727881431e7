/*
 * Answers cases ([expression, zone, after in seconds], a line each) with what
 * cron-parser says: seconds, or "refused".
 */

import parser from 'cron-parser';
import readline from 'node:readline';

const lines = readline.createInterface({ input: process.stdin });

for await (const line of lines) {
    const [expression, tz, after] = JSON.parse(line);
    let answer = 'refused';

    try {
        const found = parser.CronExpressionParser.parse(expression, {
            tz, currentDate: new Date(after * 1000)
        }).next();
        answer = Math.floor(found.getTime() / 1000);
    } catch (error) {
        if (/loop limit|out of the time/i.test(error.message)) {
            answer = null;
        }
    }

    console.log(JSON.stringify(answer));
}
