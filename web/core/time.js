// @ts-check
// Times in the format of the user's language.

const clockFormat = new Intl.DateTimeFormat(undefined, {
  hour: "2-digit",
  minute: "2-digit",
});
const dayFormat = new Intl.DateTimeFormat(undefined, { dateStyle: "full" });
const relativeFormat = new Intl.RelativeTimeFormat(undefined, {
  numeric: "auto",
});

/** @param {string} time */
export const clock = (time) => clockFormat.format(new Date(time));

/** @param {string} time */
export const dayName = (time) => dayFormat.format(new Date(time));

/** @param {string} time */
export const fullTime = (time) => new Date(time).toLocaleString();

/**
 * @param {string} a
 * @param {string} b
 */
export const sameDay = (a, b) =>
  new Date(a).toDateString() === new Date(b).toDateString();

/**
 * How far a time is from now, such as "2 hours ago".
 * @param {string} time
 */
export function fromNow(time) {
  const seconds = (Date.parse(time) - Date.now()) / 1000;
  const size = Math.abs(seconds);
  if (size >= 86_400) {
    return relativeFormat.format(Math.round(seconds / 86_400), "day");
  }
  if (size >= 3_600) {
    return relativeFormat.format(Math.round(seconds / 3_600), "hour");
  }
  if (size >= 60) {
    return relativeFormat.format(Math.round(seconds / 60), "minute");
  }
  return "just now";
}
