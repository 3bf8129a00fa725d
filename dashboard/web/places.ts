// The places along an axis: months, years or ages in order, or names.

import type { Lines } from "./data";
import { monthPattern } from "./format";

/** isMonths says whether x are months like 2014-10. */
export function isMonths(x: readonly string[]): boolean {
  return x.length > 0 && x.every((v) => monthPattern.test(v));
}

/**
 * isOrdered says whether categories have an order of their own, like years or
 * ages. Then they belong on a horizontal axis.
 */
export function isOrdered(categories: readonly string[]): boolean {
  return categories.length > 0 && categories.every((v) => /^[<>≤≥~-]?\s?\d/.test(v));
}

/** isAges says whether x counts months from 0, as curves of survival do. */
export function isAges(x: readonly string[]): boolean {
  return x.length > 1 && x.every((v, i) => v === String(i));
}

/**
 * yearStep is how many years lie between two labels of an axis. months is its
 * length, room how many labels fit.
 */
export function yearStep(months: number, room: number): number {
  const years = months / 12;
  return [1, 2, 5, 10, 20, 50].find((step) => years / step <= Math.max(room, 1)) ?? 100;
}

/**
 * markIndex is the place on the axis where a mark belongs: the first that is
 * not before it, or -1 when the mark lies outside the axis.
 */
export function markIndex(x: readonly string[], mark: string): number {
  const first = x[0];
  if (first === undefined || mark < first.slice(0, mark.length)) {
    return -1;
  }
  return x.findIndex((v) => v >= mark);
}

/**
 * ranges are the periods, in years, that are worth a choice for these months:
 * those clearly shorter than all.
 */
export function ranges(x: readonly string[]): number[] {
  return isMonths(x) ? [5, 10, 25].filter((n) => x.length >= n * 12 * 1.4) : [];
}

/** lastYears is the data of the last n years of a chart by month. */
export function lastYears(d: Lines, n: number): Lines {
  const from = Math.max(0, d.x.length - n * 12);
  const cut = <T>(v: T[] | undefined): T[] | undefined => v?.slice(from);
  return {
    ...d,
    x: d.x.slice(from),
    series: d.series.map((s) => {
      const low = cut(s.low);
      const high = cut(s.high);
      return { ...s, values: s.values.slice(from), ...(low && { low }), ...(high && { high }) };
    }),
  };
}
