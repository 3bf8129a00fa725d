// The data of charts as the server writes it into a figure, checked and with
// defaults filled in.

import type * as contract from "./contract";

/** Lines are lines, step curves and bars over places in order. */
export type Lines = { kind: "lines" } & Required<contract.Lines>;

/** Bars are bars of categories. */
export type Bars = { kind: "bars"; percent: boolean } & Required<contract.Bars>;

/** Hexbin is a map of hexagons. */
export type Hexbin = { kind: "hexbin" } & contract.Hexbin;

/** Heatmap is a table of colored cells. */
export type Heatmap = { kind: "heatmap" } & contract.Heatmap;

/** Boxes are box plots of categories. */
export type Boxes = { kind: "boxes" } & contract.Boxes;

export type Chart = Lines | Bars | Hexbin | Heatmap | Boxes;

/**
 * parseChart reads the JSON of a figure of that kind. What may be left out has
 * its default then, and an empty list may be null. It throws an error that says
 * what is wrong with the data.
 */
export function parseChart(kind: string | undefined, text: string): Chart {
  const raw: unknown = JSON.parse(text);
  if (typeof raw !== "object" || raw === null || Array.isArray(raw)) {
    throw new Error("the data of the chart is not an object");
  }
  switch (kind) {
    case "lines": {
      const d = raw as Partial<contract.Lines>;
      const { x_unit = "", unit = "", percent = false } = d;
      const x = list(d, "x").map(String);
      return { kind, x, x_unit, unit, percent, series: seriesOf(d, x.length), marks: list(d, "marks") };
    }
    case "bars": {
      const d = raw as Partial<contract.Bars>;
      const { unit = "", max = 0 } = d;
      const categories = list(d, "categories").map(String);
      return { kind, categories, unit, percent: unit === "%", series: seriesOf(d, categories.length), links: list(d, "links"), max };
    }
    case "hexbin": {
      const d = raw as Partial<contract.Hexbin>;
      const { unit = "", box = [0, 0, 1, 1], outlines } = d;
      const [size, meters_per_lon, meters_per_lat] = [length(d, "size"), length(d, "meters_per_lon"), length(d, "meters_per_lat")];
      return { kind, size, meters_per_lon, meters_per_lat, cells: list(d, "cells"), unit, box, ...(outlines && { outlines }) };
    }
    case "heatmap": {
      const d = raw as Partial<contract.Heatmap>;
      const { unit = "", link = "", x_parameter = "", y_parameter = "" } = d;
      const cells = { xs: list(d, "xs"), ys: list(d, "ys"), values: list(d, "values") };
      return { kind, ...cells, unit, x_keys: list(d, "x_keys"), y_keys: list(d, "y_keys"), link, x_parameter, y_parameter };
    }
    case "boxes": {
      const d = raw as Partial<contract.Boxes>;
      return { kind, categories: list(d, "categories"), boxes: list(d, "boxes"), unit: d.unit ?? "" };
    }
    default:
      throw new Error(`no such kind of chart: ${kind}`);
  }
}

/** list is a list of the data. */
function list<T, K extends keyof T & string>(d: T, name: K): NonNullable<T[K]> {
  const v: unknown = d[name] ?? [];
  if (!Array.isArray(v)) {
    throw new Error(`${name} is not a list`);
  }
  return v as NonNullable<T[K]>;
}

/** length is a number of meters. */
function length(d: Partial<contract.Hexbin>, name: "size" | "meters_per_lon" | "meters_per_lat"): number {
  const v = d[name];
  if (typeof v !== "number" || v <= 0) {
    throw new Error(`${name} is not a length`);
  }
  return v;
}

/** seriesOf are the series of a chart with so many places. */
function seriesOf(d: { series?: contract.Series[] }, places: number): contract.Series[] {
  return list(d, "series").map((s) => {
    for (const [name, values] of [["values", s.values], ["low", s.low], ["high", s.high]] as const) {
      if (values && values.length > 0 && values.length !== places) {
        throw new Error(`${name} of ${s.name}: ${values.length} for ${places} places`);
      }
    }
    return { ...s, values: s.values ?? [] };
  });
}

/** cellLink is the address that a cell of a heat map leads to, "" for none. */
export function cellLink(d: Heatmap, x: number, y: number): string {
  const [xKey, yKey] = [d.x_keys[x], d.y_keys[y]];
  if (!d.link || !xKey || !yKey) {
    return "";
  }
  const [path, query] = d.link.split("?");
  const parameters = new URLSearchParams(query);
  parameters.set(d.x_parameter, xKey);
  parameters.set(d.y_parameter, yKey);
  parameters.sort();
  return `${path}?${parameters}`;
}
