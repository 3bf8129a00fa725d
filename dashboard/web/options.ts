// What each kind of chart looks like: from its data to the option that ECharts
// draws. Nothing here touches the page.

import { aspect, classOf, classes, extent, hexCorners } from "./cells";
import type { Series, Value } from "./contract";
import { type Bars, type Boxes, type Chart, type Heatmap, type Hexbin, type Lines, cellLink } from "./data";
import { describe } from "./describe";
import type { CustomSeriesRenderItem, EChartsOption, SeriesOption } from "./echarts";
import { format, monthName, short, withUnit } from "./format";
import { type Outline, areasId, outlineSeries } from "./outlines";
import { type Palette, colorOf, scaleOf } from "./palette";
import { isAges, isMonths, isOrdered, markIndex, yearStep } from "./places";
import { words } from "./words";

/** View is how a chart is drawn at the moment. */
export interface View {
  lang: string;
  palette: Palette;
  /** width of the plot in CSS pixels. */
  width: number;
  /** hidden are the names of the series that are switched off. */
  hidden: ReadonlySet<string>;
  /** label is the figure's text for people who do not see it. */
  label: string;
  /** outlines of a map, once they are loaded, and the one under the pointer. */
  outlines?: readonly Outline[];
  pointedAt?: () => Outline | undefined;
}

/** bandPrefix begins the ids of series that only draw a confidence band. */
export const bandPrefix = "band:";

/**
 * narrow is the width, in CSS pixels, below which a chart has no room for long
 * labels.
 */
const narrow = 560;

const font = 'system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", "Helvetica Neue", Arial, sans-serif';

/**
 * rowHeight is the height of one category of a chart with horizontal bars, in
 * CSS pixels. Some names need two lines.
 */
function rowHeight(categories: readonly string[], width: number): number {
  const room = Math.floor(labelWidth(width) / 6.4); // letters in a line
  return categories.some((c) => c.length > room) ? 31 : 24;
}

/** labelWidth is the room for names beside bars, in CSS pixels. */
function labelWidth(width: number): number {
  return Math.min(width * 0.4, 280);
}

/** nameAxis shows names beside bars and boxes. */
function nameAxis(view: View, categories: string[]): object {
  return categoryAxis(view, categories, {
    inverse: true,
    axisLine: { show: false },
    axisLabel: {
      width: labelWidth(view.width),
      overflow: "break",
      lineHeight: 13,
      fontSize: 11.5,
      interval: 0,
      hideOverlap: false,
      color: view.palette.text,
    },
  });
}

/** heightOf is the height that a chart needs in a width, in CSS pixels. */
export function heightOf(d: Chart, width: number): number {
  switch (d.kind) {
    case "lines":
      return width < narrow ? 260 : 320;
    case "bars":
      return isOrdered(d.categories)
        ? 260
        : 52 + d.categories.length * rowHeight(d.categories, width) * (d.series.length > 1 ? d.series.length * 0.7 : 1);
    case "hexbin":
      return Math.round(Math.min(Math.max(width / aspect(extent(d), d), 220), 640));
    case "heatmap":
      return 30 + labelHeight(width) + d.ys.length * 20;
    case "boxes":
      return 52 + d.categories.length * rowHeight(d.categories, width);
  }
}

/** labelHeight is the room for names below a heat map, in CSS pixels. */
function labelHeight(width: number): number {
  return width < narrow ? 110 : 180;
}

/** optionOf is the whole option of a chart. It replaces any earlier one. */
export function optionOf(d: Chart, view: View): EChartsOption {
  const { palette } = view;
  const common: EChartsOption = {
    animation: false,
    backgroundColor: "transparent",
    color: [...palette.series],
    textStyle: { fontFamily: font, fontSize: 12, color: palette.muted },
    aria: { enabled: true, label: { description: [view.label, describe(d, view.lang)].filter(Boolean).join(". ") } },
  };
  switch (d.kind) {
    case "lines":
      return { ...common, ...lines(d, view) };
    case "bars":
      return { ...common, ...bars(d, view) };
    case "hexbin":
      return { ...common, ...hexbin(d, view) };
    case "heatmap":
      return { ...common, ...heatmap(d, view) };
    case "boxes":
      return { ...common, ...boxes(d, view) };
  }
}

/** Row is one line of a tooltip. */
export interface Row {
  color: string | null;
  name: string;
  value: string;
}

/**
 * tip makes a tooltip out of elements. The page's Content-Security-Policy
 * forbids the inline styles of ECharts' own tooltips.
 */
export function tip(title: string, rows: readonly Row[]): HTMLElement {
  const box = document.createElement("div");
  box.className = "tip";
  const head = box.appendChild(document.createElement("p"));
  head.textContent = title;
  const list = box.appendChild(document.createElement("dl"));
  for (const row of rows) {
    const name = list.appendChild(document.createElement("dt"));
    if (row.color !== null) {
      name.appendChild(document.createElement("i")).style.backgroundColor = row.color;
    }
    name.append(row.name);
    list.appendChild(document.createElement("dd")).textContent = row.value;
  }
  return box;
}

function tooltip(view: View, rest: object): EChartsOption["tooltip"] {
  const { palette } = view;
  return {
    confine: true,
    transitionDuration: 0,
    backgroundColor: palette.background,
    borderColor: palette.rule,
    borderWidth: 1,
    padding: 0,
    textStyle: { color: palette.text, fontSize: 12 },
    extraCssText: "border-radius: 4px; box-shadow: 0 2px 10px rgb(0 0 0 / 18%);",
    ...rest,
  };
}

function valueAxis(view: View, unit: string, percent: boolean, max = 0): object {
  return {
    type: "value",
    ...(max > 0 ? { min: 0, max, interval: max / (view.width < narrow ? 2 : 4) } : {}),
    name: percent ? "" : unit,
    nameLocation: "end",
    nameGap: 10,
    nameTextStyle: { color: view.palette.muted, fontSize: 11, align: "left" },
    splitNumber: view.width < narrow ? 3 : 5,
    axisLabel: { color: view.palette.muted, hideOverlap: true, formatter: (v: number) => short(view.lang, v, percent) },
    axisLine: { show: false },
    axisTick: { show: false },
    splitLine: { lineStyle: { color: view.palette.rule } },
  };
}

function categoryAxis(view: View, data: string[], rest: object): object {
  return {
    type: "category",
    data,
    axisLine: { lineStyle: { color: view.palette.rule } },
    axisTick: { show: false },
    splitLine: { show: false },
    ...rest,
    axisLabel: { color: view.palette.muted, hideOverlap: true, ...(rest as { axisLabel?: object }).axisLabel },
  };
}

const dashes = ["solid", "solid", [5, 3], "solid", [2, 2], [8, 3], [5, 3], [2, 2]] as const;

/** Shown is a series that is not switched off, with its place and color. */
interface Shown {
  s: Series;
  i: number;
  color: string;
}

/**
 * shownOf are the series that are not switched off. Colors stay with series.
 */
function shownOf(d: Lines | Bars, view: View): Shown[] {
  return d.series.map((s, i) => ({ s, i, color: colorOf(view.palette, s, i) })).filter(({ s }) => !view.hidden.has(s.name));
}

function lines(d: Lines, view: View): EChartsOption {
  const { palette } = view;
  const months = isMonths(d.x);
  const step = yearStep(d.x.length, view.width / 60);
  const ages = 12 * step;
  const shadow = d.series.some((s) => s.type === "bar");
  const shown = shownOf(d, view);
  const series = shown.flatMap(({ s, i, color }) => lineSeries(s, i, color, d.x.length));
  addMarks(d, view, series);
  const yearTick = (i: number): boolean => yearLabel(d.x, i, step) !== "";
  return {
    grid: { left: 8, right: 16, top: d.unit && !d.percent ? 34 : 18, bottom: d.x_unit ? 26 : 6 },
    xAxis: categoryAxis(view, d.x, {
      ...(d.x_unit
        ? { name: d.x_unit, nameLocation: "middle", nameGap: 28, nameTextStyle: { color: palette.muted, fontSize: 11 } }
        : {}),
      boundaryGap: shadow,
      axisPointer: { type: shadow ? "shadow" : "line", label: { show: false } },
      axisTick: months ? { show: true, alignWithLabel: true, interval: yearTick, lineStyle: { color: palette.rule } } : { show: false },
      axisLabel: months
        ? { interval: yearTick, formatter: (v: string) => v.slice(0, 4), hideOverlap: true }
        : isAges(d.x)
          ? { interval: ages - 1, hideOverlap: true }
          : {},
    }),
    yAxis: valueAxis(view, d.unit, d.percent, d.percent && d.series.every((s) => s.type === "step") ? 100 : 0),
    tooltip: tooltip(view, {
      trigger: "axis",
      axisPointer: {
        type: shadow ? "shadow" : "line",
        lineStyle: { color: palette.muted, type: "solid" },
        shadowStyle: { color: palette.muted, opacity: 0.12 },
      },
      formatter: (items: unknown) => lineTip(d, view, shown, placeOf(items)),
    }),
    series,
  };
}

/** lineSeries draws one series over so many places, and its band below it. */
function lineSeries(s: Series, i: number, color: string, places: number): SeriesOption[] {
  if (s.type === "bar") {
    const bar = { type: "bar", data: s.values, itemStyle: { color }, barCategoryGap: "20%", barMaxWidth: 28 };
    return [{ id: `s${i}`, name: s.name, ...bar } as SeriesOption];
  }
  const curve = s.type === "step" ? { step: "end" as const } : {};
  const line = {
    id: `s${i}`,
    name: s.name,
    type: "line",
    data: s.values,
    connectNulls: s.sparse === true,
    // A single known value between unknown ones has no line to be seen by.
    showSymbol: lonely(s.values),
    showAllSymbol: true,
    symbol: "circle",
    symbolSize: 5,
    lineStyle: { width: places > 200 ? 1.5 : 2, color, type: dashes[i % dashes.length] },
    itemStyle: { color },
    emphasis: { disabled: true },
    ...curve,
  } as SeriesOption;
  return s.low && s.high && s.low.length > 0 ? [...band(s.name, s.low, s.high, color, curve), line] : [line];
}

/** placeOf is the place that a tooltip of an axis is for. */
function placeOf(items: unknown): number {
  return (Array.isArray(items) ? (items[0] as { dataIndex: number } | undefined)?.dataIndex : undefined) ?? 0;
}

/** lineTip is the tooltip at a place, "" between two places with values. */
function lineTip(d: Lines, { lang }: View, shown: readonly Shown[], at: number): HTMLElement | "" {
  if (shown.every(({ s }) => s.sparse && (s.values[at] ?? null) === null)) {
    return "";
  }
  const rows = shown.flatMap(({ s, color }): Row[] => {
    const own: Row = { color, name: s.name, value: withUnit(format(lang, s.values[at], d.percent), "", d.percent) };
    const [low, high] = [s.low?.[at], s.high?.[at]];
    return typeof low === "number" && typeof high === "number"
      ? [own, { color: null, name: words(lang)("band"), value: `${format(lang, low, d.percent)} – ${format(lang, high, d.percent)}` }]
      : [own];
  });
  const marks = d.marks.filter((m) => markIndex(d.x, m.x) === at).map((m) => ({ color: null, name: m.label, value: "" }));
  return tip(withUnit(monthName(lang, d.x[at] ?? ""), d.x_unit), [...rows, ...marks]);
}

/** lonely says whether there is a known value between two unknown ones. */
function lonely(values: readonly Value[]): boolean {
  return values.some((v, i) => v !== null && (values[i - 1] ?? null) === null && (values[i + 1] ?? null) === null);
}

/** yearLabel is the year to write below a month, "" for most months. */
function yearLabel(x: readonly string[], i: number, step: number): string {
  const v = x[i] ?? "";
  return v.endsWith("-01") && Number(v.slice(0, 4)) % step === 0 ? v.slice(0, 4) : "";
}

/**
 * band draws the area between low and high as two stacked lines. Only the upper
 * one is filled.
 */
function band(name: string, low: Value[], high: Value[], color: string, curve: object): SeriesOption[] {
  const common = {
    type: "line",
    stack: bandPrefix + name,
    stackStrategy: "all",
    silent: true,
    symbol: "none",
    lineStyle: { width: 0, opacity: 0 },
    emphasis: { disabled: true },
    tooltip: { show: false },
    z: 1,
    ...curve,
  };
  const room = high.map((h, i) => (h === null || (low[i] ?? null) === null ? null : h - (low[i] as number)));
  return [
    { ...common, id: `${bandPrefix}low:${name}`, name: bandPrefix + name, data: low } as SeriesOption,
    {
      ...common,
      id: `${bandPrefix}high:${name}`,
      name: bandPrefix + name,
      data: room,
      areaStyle: { color, opacity: 0.18 },
    } as SeriesOption,
  ];
}

/** addMarks draws the marks as vertical lines, with the first series. */
function addMarks(d: Lines, view: View, series: SeriesOption[]): void {
  const { palette } = view;
  const data = d.marks.flatMap((m) => {
    const at = markIndex(d.x, m.x);
    return at < 0 ? [] : [{ xAxis: at, label: { formatter: m.label } }];
  });
  const first = series.find((s) => !String(s.id).startsWith(bandPrefix));
  if (data.length === 0 || !first) {
    return;
  }
  Object.assign(first, {
    markLine: {
      silent: true,
      symbol: "none",
      animation: false,
      lineStyle: { color: palette.muted, type: [3, 3], width: 1 },
      // A phone has no room for long labels. There the tooltip and the note say
      // what the line is.
      label: {
        show: view.width >= narrow,
        color: palette.muted,
        fontSize: 11,
        position: "insideEndTop",
        rotate: 90,
        distance: [2, 4],
        width: 200,
        overflow: "truncate",
      },
      data,
    },
  });
}

function bars(d: Bars, view: View): EChartsOption {
  const { palette, lang } = view;
  const upright = isOrdered(d.categories);
  const axis = upright ? categoryAxis(view, d.categories, {}) : nameAxis(view, d.categories);
  const values = { ...valueAxis(view, upright ? d.unit : "", d.percent, d.max), ...(upright ? {} : { position: "top" }) };
  const shown = shownOf(d, view);
  return {
    grid: { left: 8, right: upright ? 12 : 52, top: upright ? (d.unit ? 34 : 12) : 26, bottom: 6 },
    xAxis: upright ? axis : values,
    yAxis: upright ? values : axis,
    tooltip: tooltip(view, {
      trigger: "axis",
      axisPointer: { type: "shadow", shadowStyle: { color: palette.muted, opacity: 0.12 } },
      formatter: (items: unknown) => {
        const at = placeOf(items);
        const value = (s: Series): string => withUnit(format(lang, s.values[at], d.percent), d.unit, d.percent);
        return tip(d.categories[at] ?? "", shown.map(({ s, color }) => ({ color, name: s.name, value: value(s) })));
      },
    }),
    series: shown.map(({ s, i, color }) => ({
      id: `s${i}`,
      name: s.name,
      type: "bar",
      data: s.values,
      barCategoryGap: upright ? "12%" : "28%",
      barMaxWidth: upright ? 40 : 18,
      itemStyle: { color, borderRadius: upright ? [2, 2, 0, 0] : [0, 2, 2, 0] },
      cursor: d.links.length > 0 ? "pointer" : "default",
      emphasis: { disabled: true },
      label: {
        show: !upright && d.series.length === 1,
        position: "right",
        color: palette.muted,
        fontSize: 11,
        formatter: (p: { value: unknown }) => (typeof p.value === "number" ? format(lang, p.value, d.percent) : ""),
      },
    })) as SeriesOption[],
  };
}

/**
 * halo surrounds the edge of the cell under the pointer, since cells beside it
 * may have the color of that edge.
 */
function halo(palette: Palette): { shadowColor: string; shadowBlur: number } {
  return { shadowColor: palette.background, shadowBlur: 6 };
}

/** plain is an axis that carries a map. Nothing of it is drawn. */
function plain(min: number, max: number): object {
  return { type: "value", min, max, show: false };
}

function hexbin(d: Hexbin, view: View): EChartsOption {
  const { palette, lang } = view;
  const outlines = view.outlines ?? [];
  const [w, s, e, n] = extent(d);
  const bounds = classes(d.cells.map(([, , v]) => v));
  const colors = scaleOf(palette, bounds.length);
  // The map fills the plot in one direction and is centered in the other, so
  // that a meter is as long to the east as to the north.
  const height = heightOf(d, view.width);
  const wide = view.width / height;
  const own = aspect([w, s, e, n], d);
  const [padX, padY] = wide > own ? [(view.width - height * own) / 2, 0] : [0, (height - view.width / own) / 2];
  const renderItem: CustomSeriesRenderItem = (_params, api) => {
    const [lon, lat, v] = [api.value(0) as number, api.value(1) as number, api.value(2) as number];
    return {
      type: "polygon",
      shape: { points: hexCorners(lon, lat, d).map((p) => api.coord(p)) as [number, number][] },
      style: { fill: Number.isNaN(v) ? palette.rule : colors[classOf(bounds, v)], stroke: palette.background, lineWidth: 0.5 },
      emphasis: { style: { stroke: palette.emphasis, lineWidth: 3, ...halo(palette) } },
    };
  };
  const zoom = {
    type: "inside",
    filterMode: "none",
    zoomOnMouseWheel: "ctrl",
    moveOnMouseMove: true,
    preventDefaultMouseMove: false,
  } as const;
  return {
    grid: { left: padX, right: padX, top: padY, bottom: padY, outerBoundsMode: "none" },
    xAxis: plain(w, e),
    yAxis: plain(s, n),
    dataZoom: [
      { ...zoom, xAxisIndex: 0 },
      { ...zoom, yAxisIndex: 0 },
    ],
    tooltip: tooltip(view, {
      trigger: "item",
      formatter: (item: { seriesId: string; dataIndex: number; value: [number, number, Value] }) => {
        if (item.seriesId === areasId) {
          return tip(outlines[item.dataIndex]?.name ?? "", []);
        }
        const [lon, lat, v] = item.value;
        const name = view.pointedAt?.()?.name;
        const rows = [...(name ? [name] : []), `${lat.toFixed(4)}, ${lon.toFixed(4)}`];
        return tip(withUnit(format(lang, v), d.unit), rows.map((row) => ({ color: null, name: row, value: "" })));
      },
    }),
    series: [
      {
        id: "s0",
        name: d.unit,
        type: "custom",
        renderItem,
        data: d.cells,
        dimensions: ["lon", "lat", "value"],
        encode: { x: 0, y: 1, tooltip: 2 },
        clip: true,
        progressive: 0,
      } as SeriesOption,
      ...outlineSeries(outlines, palette),
    ],
  };
}

function heatmap(d: Heatmap, view: View): EChartsOption {
  const { palette, lang } = view;
  const bounds = classes(d.values.map(([, , v]) => v));
  const colors = scaleOf(palette, bounds.length);
  const few = d.xs.length * d.ys.length <= 200 && view.width >= narrow;
  const [across, along] = [Math.min(view.width * 0.34, 200), labelHeight(view.width)]; // room for labels
  const labels = { interval: 0, hideOverlap: false, overflow: "truncate", fontSize: 11 };
  const axisLine = { show: false };
  return {
    grid: { left: across + 12, right: 12, top: 8, bottom: along + 12, outerBoundsMode: "none" },
    xAxis: categoryAxis(view, d.xs, { axisLabel: { ...labels, rotate: 90, width: along }, axisLine }),
    yAxis: categoryAxis(view, d.ys, { inverse: true, axisLabel: { ...labels, width: across }, axisLine }),
    visualMap: {
      type: "piecewise",
      show: false,
      dimension: 2,
      pieces: bounds.map((b, i) => ({ gte: b, ...(i + 1 < bounds.length ? { lt: bounds[i + 1] } : {}), color: colors[i] })),
      outOfRange: { color: palette.rule },
    } as EChartsOption["visualMap"],
    tooltip: tooltip(view, {
      trigger: "item",
      formatter: (item: { value: [number, number, Value] }) => {
        const [x, y, v] = item.value;
        return tip(withUnit(format(lang, v), d.unit), [
          { color: null, name: d.ys[y] ?? "", value: "" },
          { color: null, name: d.xs[x] ?? "", value: "" },
        ]);
      },
    }),
    series: [
      {
        id: "s0",
        name: d.unit,
        type: "heatmap",
        data: d.values,
        itemStyle: { borderColor: palette.background, borderWidth: 1 },
        emphasis: { itemStyle: { borderColor: palette.emphasis, borderWidth: 3, ...halo(palette) } },
        cursor: cellLink(d, 0, 0) === "" ? "default" : "pointer",
        label: {
          show: few,
          fontSize: 11,
          formatter: (p: { value: unknown }) => {
            const v = (p.value as Value[])[2];
            return v === null || v === undefined ? "" : format(lang, v);
          },
        },
      } as SeriesOption,
    ],
  };
}

/** quantiles are the texts of a box's numbers, in their order. */
const quantiles = ["box.min", "box.q1", "box.median", "box.q3", "box.max"] as const;

function boxes(d: Boxes, view: View): EChartsOption {
  const { palette, lang } = view;
  const color = palette.series[0] as string;
  return {
    grid: { left: 8, right: 16, top: 26, bottom: 6 },
    xAxis: { ...valueAxis(view, "", false), position: "top" },
    yAxis: nameAxis(view, d.categories),
    tooltip: tooltip(view, {
      trigger: "item",
      formatter: ({ dataIndex }: { dataIndex: number }) =>
        tip(
          d.categories[dataIndex] ?? "",
          quantiles.map((key, i) => {
            const value = withUnit(format(lang, d.boxes[dataIndex]?.[i]), d.unit);
            return { color: null, name: words(lang)(key), value };
          }),
        ),
    }),
    series: [
      {
        id: "s0",
        name: d.unit,
        type: "boxplot",
        data: d.boxes,
        boxWidth: [6, 13],
        itemStyle: { color: palette.scale[1], borderColor: color, borderWidth: 1.5 },
        emphasis: { disabled: true },
      } as SeriesOption,
    ],
  };
}
