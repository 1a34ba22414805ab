// Numbers, times and names as people here write them.

import { words } from "./words.js";

const number = new Intl.NumberFormat("pt-BR");
const oneDigit = new Intl.NumberFormat("pt-BR", { maximumFractionDigits: 1 });
const twoDigits = new Intl.NumberFormat("pt-BR", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const wholePercent = new Intl.NumberFormat("pt-BR", { style: "percent" });
const finePercent = new Intl.NumberFormat("pt-BR", { style: "percent", maximumFractionDigits: 1 });
const clock = new Intl.DateTimeFormat("pt-BR", { hour: "2-digit", minute: "2-digit" });
const seconds = new Intl.DateTimeFormat("pt-BR", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const date = new Intl.DateTimeFormat("pt-BR", { day: "numeric", month: "long" });

export const count = (n) => number.format(n ?? 0);
export const weight = (w) => twoDigits.format(Math.abs(w));
export const atClock = (ms) => clock.format(ms);
export const atSecond = (ms) => seconds.format(ms);

/** A share: small ones with a digit, so that they do not read as nothing. */
export const percent = (share) =>
  share > 0 && share < 0.0995 ? finePercent.format(share) : wholePercent.format(share);

/** A time of milliseconds as one would say it: 155 ms, 2,4 s, 3 min. */
export function duration(ms) {
  const { units } = words;
  if (ms < 1000) return `${number.format(Math.round(ms))} ${units.ms}`;
  if (ms < 60_000) return `${oneDigit.format(ms / 1000)} ${units.s}`;
  return span(ms / 1000);
}

/** A time of seconds, roughly: 40 s, 3 min, 2 h 10 min. */
export function span(total) {
  const { units } = words;
  const whole = Math.max(0, Math.floor(total));
  if (whole < 60) return `${whole} ${units.s}`;
  if (whole < 3600) return `${Math.floor(whole / 60)} ${units.min}`;
  if (whole < 86_400) {
    const minutes = Math.floor((whole % 3600) / 60);
    return `${Math.floor(whole / 3600)} ${units.h}${minutes ? ` ${minutes} ${units.min}` : ""}`;
  }
  return `${Math.floor(whole / 86_400)} ${units.d}`;
}

/** A countdown: 12:03, 1:04:09. */
export function countdown(total) {
  const whole = Math.max(0, Math.floor(total));
  const pad = (n) => String(n).padStart(2, "0");
  const hours = Math.floor(whole / 3600);
  const rest = `${pad(Math.floor((whole % 3600) / 60))}:${pad(whole % 60)}`;
  return hours ? `${hours}:${rest}` : rest.replace(/^0(\d:)/, "$1");
}

/** The day of a time: today, yesterday, 3 de maio. */
export function day(ms, nowMs) {
  const start = (at) => new Date(at).setHours(0, 0, 0, 0);
  const days = Math.round((start(nowMs) - start(ms)) / 86_400_000);
  if (days === 0) return words.conversation.today;
  return days === 1 ? words.conversation.yesterday : date.format(ms);
}

/** What people call an id; one the catalogue does not know reads as itself. */
export function nameOf(names, id) {
  if (!id) return "";
  if (names[id]) return names[id];
  const text = id.replaceAll("_", " ");
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** Who a customer is, as far as known. */
export const customerName = (customer) => customer?.name || words.conversation.unknownCustomer;

export const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);
