// Reads a calendar with ical.js, counts its occurrences in 2025 to 2027, and
// prints them with the seconds that it took.
import fs from "node:fs";
import ICAL from "ical.js";

const text = fs.readFileSync(process.argv[2], "utf8");
const from = ICAL.Time.fromDateTimeString("2025-01-01T00:00:00");
const to = ICAL.Time.fromDateTimeString("2028-01-01T00:00:00");
const start = process.hrtime.bigint();
let occurrences = 0;
for (const component of new ICAL.Component(ICAL.parse(text)).getAllSubcomponents("vevent")) {
  const event = new ICAL.Event(component);
  if (!event.isRecurring()) {
    occurrences++;
    continue;
  }
  const iterator = event.iterator();
  for (let at = iterator.next(); at; at = iterator.next()) {
    if (at.compare(from) >= 0 && at.compare(to) < 0) occurrences++;
  }
}
console.log(JSON.stringify({ occurrences, seconds: Number(process.hrtime.bigint() - start) / 1e9 }));
