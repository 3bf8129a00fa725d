// Numbers and months as the page's language writes them.

import type { Value } from "./contract";
import { words } from "./words";

/** monthPattern is a month like 2014-10. */
export const monthPattern = /^\d{4}-\d{2}$/;

/**
 * format is a number for people: digits in groups, few of them after the point.
 * A percentage is given as 0 to 100.
 */
export function format(lang: string, v: Value | undefined, percent = false): string {
  if (v === null || v === undefined || Number.isNaN(v)) {
    return words(lang)("unknown");
  }
  if (percent) {
    return `${new Intl.NumberFormat(lang, { maximumFractionDigits: 1 }).format(v)} %`;
  }
  const digits = Math.abs(v) >= 100 || Number.isInteger(v) ? 0 : Math.abs(v) >= 1 ? 1 : 3;
  return new Intl.NumberFormat(lang, { maximumFractionDigits: digits, useGrouping: "always" as unknown as boolean }).format(v);
}

/** short is a number for an axis: 12K instead of 12,000. */
export function short(lang: string, v: number, percent = false): string {
  if (percent) {
    return format(lang, v, true);
  }
  if (Math.abs(v) < 10_000) {
    return format(lang, v);
  }
  return new Intl.NumberFormat(lang, { notation: "compact", maximumFractionDigits: 1 }).format(v);
}

/** withUnit appends the unit; a percentage has its sign already. */
export function withUnit(text: string, unit: string, percent = false): string {
  return unit === "" || percent ? text : `${text} ${unit}`;
}

/**
 * monthName is a month like 2014-10 as people write it. Anything else stays.
 */
export function monthName(lang: string, x: string): string {
  if (!monthPattern.test(x)) {
    return x;
  }
  const [year, month] = x.split("-").map(Number) as [number, number];
  return new Intl.DateTimeFormat(lang, { year: "numeric", month: "short", timeZone: "UTC" }).format(Date.UTC(year, month - 1));
}
