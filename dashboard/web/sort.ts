// The order of a table's rows by the text of their cells.

import { languageOf, words } from "./words";

/**
 * sortKey is what a cell sorts by: a number where its text is one in the page's
 * language (with groups of digits, a percent sign or other signs), else the
 * text. It is null for an empty cell, which is last in any order.
 */
export function sortKey(lang: string, text: string): number | string | null {
  const t = text.trim();
  if (t === "" || t === "–" || t === "—" || t === "-" || t === words(lang)("unknown")) {
    return null;
  }
  if (/^\d{4}-\d{2}/.test(t)) {
    return t;
  }
  const spanish = languageOf(lang) === "es";
  const plain = t
    .replace(/[\s\u00a0\u202f%+~≈]/g, "")
    .replace(spanish ? /\./g : /,/g, "")
    .replace(spanish ? "," : ".", ".")
    .replace("−", "-");
  return /^-?\d+(\.\d+)?$/.test(plain) ? Number(plain) : t;
}

/** compareKeys compares sort keys: numbers before texts, null last. */
export function compareKeys(lang: string, a: number | string | null, b: number | string | null, down: boolean): number {
  if (a === null || b === null) {
    return a === b ? 0 : a === null ? 1 : -1;
  }
  const sign = down ? -1 : 1;
  if (typeof a === "number" && typeof b === "number") {
    return sign * (a - b);
  }
  if (typeof a !== typeof b) {
    return typeof a === "number" ? -1 : 1;
  }
  return sign * String(a).localeCompare(String(b), lang, { numeric: true, sensitivity: "base" });
}
