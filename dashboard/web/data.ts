// The data of a chart as the server writes them into its figure, and what can be computed from them without a page.

import type { Box } from "./outlines";
import { words } from "./words";

/** Num is a value; null is unknown, and never zero. */
export type Num = number | null;

export type Role = "opened" | "closed" | "administrative" | "survivors" | "reconstructed" | "provisional" | "observed";

/** Series is one line, area, step curve or row of bars. low and high are the bounds of a confidence band. */
export interface Series {
  name: string;
  type?: "line" | "bar" | "area" | "step";
  stack?: string;
  /** role is what is counted, or its basis: each role has its color on every page. */
  role?: Role;
  /** sparse: values are of some places only, and joined across the others. */
  sparse?: boolean;
  values: Num[];
  low?: Num[];
  high?: Num[];
}

/** Mark is something known to have happened at x that explains a break in the numbers. */
export interface Mark {
  x: string;
  label: string;
}

export interface Lines {
  kind: "lines";
  x: string[];
  /** xUnit is what x counts, "" for dates. */
  xUnit: string;
  unit: string;
  percent: boolean;
  series: Series[];
  marks: Mark[];
}

export interface Bars {
  kind: "bars";
  categories: string[];
  unit: string;
  percent: boolean;
  series: Series[];
  links: string[];
  /** max is what values can be at most, 0 for any. */
  max: number;
}

/** Grid are the hexagons of a map: `size` meters from center to corner, in a projection of so many meters a degree. */
export interface Grid {
  size: number;
  metersPerLon: number;
  metersPerLat: number;
  /** flat: a side to the north; else a corner. */
  flat: boolean;
}

/** Hexbin has cells [longitude, latitude, value] of a grid of hexagons. */
export interface Hexbin {
  kind: "hexbin";
  grid: Grid;
  cells: [number, number, Num][];
  unit: string;
  box: [number, number, number, number] | null;
  /** outlines are at an address of their own; the box around them is known before. */
  outlines?: { href: string; box: Box };
}

/** Heatmap has values [index in xs, index in ys, value]. */
export interface Heatmap {
  kind: "heatmap";
  xs: string[];
  ys: string[];
  unit: string;
  percent: boolean;
  values: [number, number, Num][];
  /** links leads from a cell to the list of what it counts, "" for nowhere. */
  link: (x: number, y: number) => string;
}

/** Boxes has for each category minimum, first quartile, median, third quartile and maximum. */
export interface Boxes {
  kind: "boxes";
  categories: string[];
  boxes: Num[][];
  unit: string;
}

export type Chart = Lines | Bars | Hexbin | Heatmap | Boxes;

/** parseChart reads the JSON block of a figure. It throws an error that says what is wrong with it. */
export function parseChart(kind: string | undefined, text: string): Chart {
  const raw: unknown = JSON.parse(text);
  if (typeof raw !== "object" || raw === null || Array.isArray(raw)) {
    throw new Error("the data of the chart are no object");
  }
  const d = raw as Record<string, unknown>;
  const list = <T>(name: string): T[] => {
    const v = d[name];
    if (v === undefined || v === null) {
      return [];
    }
    if (!Array.isArray(v)) {
      throw new Error(`${name} is no list`);
    }
    return v as T[];
  };
  const unit = typeof d["unit"] === "string" ? d["unit"] : "";
  const percent = d["percent"] === true || unit === "%";
  const series = (length: number): Series[] =>
    list<Series>("series").map((s) => {
      for (const [name, values] of [["values", s.values], ["low", s.low], ["high", s.high]] as const) {
        if (values && values.length > 0 && values.length !== length) {
          throw new Error(`${name} of ${s.name}: ${values.length} for ${length} places`);
        }
      }
      return { ...s, values: s.values ?? [] };
    });
  switch (kind) {
    case "lines": {
      const x = list<string | number>("x").map(String);
      const xUnit = typeof d["x_unit"] === "string" ? d["x_unit"] : "";
      return { kind, x, xUnit, unit, percent, series: series(x.length), marks: list("marks") };
    }
    case "bars": {
      const categories = list<string | number>("categories").map(String);
      return { kind, categories, unit, percent, series: series(categories.length), links: list("links"), max: typeof d["max"] === "number" ? d["max"] : 0 };
    }
    case "hexbin": {
      const box = list<number>("box");
      const [size, metersPerLon, metersPerLat] = ["size", "meters_per_lon", "meters_per_lat"].map((name) => {
        const v = d[name];
        if (typeof v !== "number" || v <= 0) {
          throw new Error(`${name} is no length`);
        }
        return v;
      }) as [number, number, number];
      return {
        kind,
        unit,
        grid: { size, metersPerLon, metersPerLat, flat: d["flat"] === true },
        cells: list("cells"),
        box: box.length === 4 ? (box as [number, number, number, number]) : null,
        ...(d["outlines"] ? { outlines: d["outlines"] as { href: string; box: Box } } : {}),
      };
    }
    case "heatmap":
      return { kind, xs: list("xs"), ys: list("ys"), unit, percent, values: list("values"), link: cellLink(d["link"], list("x_keys"), list("y_keys")) };
    case "boxes":
      return { kind, categories: list("categories"), boxes: list("boxes"), unit };
    default:
      throw new Error(`no such kind of chart: ${kind}`);
  }
}

/** cellLink makes addresses of cells: those of the list of businesses, open ones in a neighborhood and sector. */
function cellLink(list: unknown, sectors: string[], neighborhoods: string[]): Heatmap["link"] {
  return (x, y) => {
    const [sector, neighborhood] = [sectors[x], neighborhoods[y]];
    return typeof list === "string" && list !== "" && sector && neighborhood ? `${list}?${new URLSearchParams({ neighborhood, open: "yes", sector })}` : "";
  };
}

/** neighbour is the cell that is next in a direction from one of cells at [x, y], -1 where there is none: of those
 * within 45 degrees of the direction the nearest. */
export function neighbour(cells: readonly (readonly [number, number])[], from: number, [dx, dy]: readonly [number, number]): number {
  const start = cells[from];
  if (!start) {
    return -1;
  }
  let [best, least] = [-1, Infinity];
  cells.forEach(([x, y], i) => {
    const along = (x - start[0]) * dx + (y - start[1]) * dy;
    const across = Math.abs((x - start[0]) * dy) + Math.abs((y - start[1]) * dx);
    // What lies straight ahead is nearer than what lies aside.
    const distance = along + 2 * across;
    if (along > 1e-9 && across <= along * (1 + 1e-9) && distance < least) {
      [best, least] = [i, distance];
    }
  });
  return best;
}

/** format is a number for people: digits grouped, few after the point. Percent are of a hundred. */
export function format(lang: string, v: Num | undefined, percent = false): string {
  if (v === null || v === undefined || Number.isNaN(v)) {
    return words(lang).unknown;
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

/** withUnit appends the unit, which percent has already. */
export function withUnit(text: string, unit: string, percent = false): string {
  return unit === "" || percent ? text : `${text} ${unit}`;
}

const monthPattern = /^\d{4}-\d{2}$/;

/** isMonths says whether x are months like 2014-10. */
export function isMonths(x: readonly string[]): boolean {
  return x.length > 0 && x.every((v) => monthPattern.test(v));
}

/** isOrdered says whether categories have an order of their own, like years or ages, and belong on a horizontal axis. */
export function isOrdered(categories: readonly string[]): boolean {
  return categories.length > 0 && categories.every((v) => /^[<>≤≥~-]?\s?\d/.test(v));
}

/** monthName is 2014-10 as a person writes it; anything else stays as it is. */
export function monthName(lang: string, x: string): string {
  if (!monthPattern.test(x)) {
    return x;
  }
  const [year, month] = x.split("-").map(Number) as [number, number];
  return new Intl.DateTimeFormat(lang, { year: "numeric", month: "short", timeZone: "UTC" }).format(Date.UTC(year, month - 1));
}

/** yearStep is how many years lie between two labels of an axis of so many months with room for so many labels. */
export function yearStep(months: number, room: number): number {
  const years = months / 12;
  return [1, 2, 5, 10, 20, 50].find((step) => years / step <= Math.max(room, 1)) ?? 100;
}

/** isAges says whether x counts months from 0 on, as curves of survival do. */
export function isAges(x: readonly string[]): boolean {
  return x.length > 1 && x.every((v, i) => v === String(i));
}

/** markIndex is where on the axis a mark belongs: the first place not before it, or -1 outside the axis. */
export function markIndex(x: readonly string[], mark: string): number {
  const first = x[0];
  if (first === undefined || mark < first.slice(0, mark.length)) {
    return -1;
  }
  return x.findIndex((v) => v >= mark);
}

/** lastYears are the data of the last n years of months. */
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

/** ranges are the periods, in years, worth offering for so many months: those clearly shorter than all. */
export function ranges(x: readonly string[]): number[] {
  return isMonths(x) ? [5, 10, 25].filter((n) => x.length >= n * 12 * 1.4) : [];
}

/**
 * classes are the lower bounds of at most `most` color classes for values of any spread: quantiles, rounded to one
 * significant digit, so that a city's dense center does not leave all the rest in one color.
 */
export function classes(values: readonly Num[], most = 7): number[] {
  const sorted = values.filter((v): v is number => v !== null && Number.isFinite(v)).sort((a, b) => a - b);
  const lowest = sorted[0];
  if (lowest === undefined) {
    return [];
  }
  const bounds = [lowest];
  for (let i = 1; i < most; i++) {
    const v = sorted[Math.floor((i / most) * sorted.length)] as number;
    const unit = 10 ** Math.floor(Math.log10(Math.abs(v) || 1));
    const round = Number((Math.round(v / unit) * unit).toPrecision(1));
    if (round > (bounds.at(-1) as number)) {
      bounds.push(round);
    }
  }
  return bounds.filter((b) => b <= (sorted.at(-1) as number));
}

/** classOf is the index of the class a value is in. */
export function classOf(bounds: readonly number[], v: number): number {
  let at = 0;
  bounds.forEach((b, i) => {
    if (v >= b) {
      at = i;
    }
  });
  return at;
}

/** hexCorners are the corners of the hexagon around a place, in degrees. */
export function hexCorners(lon: number, lat: number, grid: Grid): [number, number][] {
  return [0, 1, 2, 3, 4, 5].map((i) => {
    const angle = ((60 * i + (grid.flat ? 0 : 30)) * Math.PI) / 180;
    return [lon + (grid.size * Math.cos(angle)) / grid.metersPerLon, lat + (grid.size * Math.sin(angle)) / grid.metersPerLat];
  });
}

/** extent is the box around all cells and outlines, in degrees: west, south, east, north. */
export function extent(d: Hexbin): [number, number, number, number] {
  let [w, s, e, n] = d.outlines?.box ?? [Infinity, Infinity, -Infinity, -Infinity];
  for (const [lon, lat] of d.cells) {
    for (const [x, y] of hexCorners(lon, lat, d.grid)) {
      [w, s, e, n] = [Math.min(w, x), Math.min(s, y), Math.max(e, x), Math.max(n, y)];
    }
  }
  return d.cells.length > 0 || d.outlines ? [w, s, e, n] : (d.box ?? [0, 0, 1, 1]);
}

/** aspect is how many times as wide as high a box in degrees is on the ground. */
export function aspect([w, s, e, n]: [number, number, number, number], grid: Grid): number {
  return ((e - w) * grid.metersPerLon) / ((n - s) * grid.metersPerLat);
}

/** describe says in a few sentences what a chart shows, for people who do not see it. */
export function describe(d: Chart, lang: string): string {
  const w = words(lang);
  const say = (v: Num | undefined, percent = false): string => withUnit(format(lang, v, percent), d.unit, percent);
  switch (d.kind) {
    case "lines": {
      const at = (i: number): string => monthName(lang, d.x[i] ?? "");
      const parts = d.series.flatMap((s) => {
        const known = s.values.flatMap((v, i) => (v === null ? [] : [{ v, i }]));
        const last = known.at(-1);
        if (!last) {
          return [`${s.name}: ${w.unknown}.`];
        }
        const low = known.reduce((a, b) => (b.v < a.v ? b : a));
        const high = known.reduce((a, b) => (b.v > a.v ? b : a));
        return [w.of(s.name, say(last.v, d.percent), at(last.i), say(low.v, d.percent), at(low.i), say(high.v, d.percent), at(high.i))];
      });
      return [w.span(at(0), at(d.x.length - 1)), ...parts].join(" ");
    }
    case "bars":
      return d.series
        .map((s) => {
          const order = s.values.flatMap((v, i) => (v === null ? [] : [{ v, i }])).sort((a, b) => b.v - a.v);
          const list = order.slice(0, 5).map(({ v, i }) => `${d.categories[i]} ${format(lang, v, d.percent)}`);
          return w.top(s.name, list.join(", ") || w.unknown);
        })
        .join(" ");
    case "hexbin":
    case "heatmap": {
      const percent = d.kind === "heatmap" && d.percent;
      const values = (d.kind === "hexbin" ? d.cells : d.values).flatMap(([, , v]) => (v === null ? [] : [v]));
      if (values.length === 0) {
        return w.unknown;
      }
      const low = values.reduce((a, b) => Math.min(a, b));
      const high = values.reduce((a, b) => Math.max(a, b));
      return w.cells(format(lang, values.length), say(low, percent), say(high, percent));
    }
    case "boxes":
      return d.categories
        .map((name, i) => ({ name, box: d.boxes[i] ?? [] }))
        .slice(0, 8)
        .map(({ name, box }) => w.box(name, say(box[2]), say(box[1]), say(box[3])))
        .join(" ");
  }
}

/**
 * sortKey is what a table's cell sorts by: a number where its text is one in the page's language (grouped digits,
 * percent and units allowed), else the text. null, which is last in any order, where there is nothing.
 */
export function sortKey(lang: string, text: string): number | string | null {
  const t = text.trim();
  if (t === "" || t === "–" || t === "—" || t === "-" || t === words(lang).unknown) {
    return null;
  }
  if (/^\d{4}-\d{2}/.test(t)) {
    return t;
  }
  const spanish = words(lang) === words("es");
  const plain = t
    .replace(/[\s\u00a0\u202f%+~≈]/g, "")
    .replace(spanish ? /\./g : /,/g, "")
    .replace(spanish ? "," : ".", ".")
    .replace("−", "-");
  return /^-?\d+(\.\d+)?$/.test(plain) ? Number(plain) : t;
}

/** compareKeys orders keys of sortKey: numbers before texts, nothing last. */
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
