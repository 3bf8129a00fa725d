// Draws the figures of a page. Only pages that have figures load it.

import { classes, neighbour } from "./cells";
import type { Series } from "./contract";
import { type Chart, type Heatmap, type Hexbin, cellLink, parseChart } from "./data";
import { describe } from "./describe";
import { type ECharts, init } from "./echarts";
import { format, monthName, withUnit } from "./format";
import { type View, bandPrefix, heightOf, optionOf } from "./options";
import { type Outline, outlineAt, outlinesId, parseOutlines } from "./outlines";
import { type Palette, colorOf, dark, light, scaleOf } from "./palette";
import { lastYears, ranges } from "./places";
import { type Words, words } from "./words";

/** Drawn is what a chart shows at the moment, read back from ECharts' model. */
export interface Drawn {
  kind: string;
  /** places are the chart's categories or x values; empty for maps. */
  places: string[];
  series: { name: string; values: unknown[] }[];
}

/**
 * printWidth is the width of a plot on paper, in CSS pixels: A4 with the
 * margins of the style sheet.
 */
const printWidth = 680;

/** directions are those of the arrow keys, to the right and down. */
const directions: Record<string, [number, number]> = { ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowDown: [0, 1], ArrowUp: [0, -1] };

/** Figure is one <figure class="chart"> and the chart in it. */
class Figure {
  private readonly plot: HTMLElement;
  private readonly lang: string;
  private readonly label: string;
  private readonly words: Words;
  private readonly hidden = new Set<string>();
  private readonly scale: HTMLElement | null = null;
  private chart: ECharts | null = null;
  private years = 0;
  private at = -1;
  private printing = false;
  private outlines: Outline[] = [];
  private pointed = -1;
  /** outlined is fulfilled when the outlines are drawn, or cannot be. */
  readonly outlined: Promise<void>;

  constructor(
    readonly element: HTMLElement,
    private readonly data: Chart,
    private readonly palette: () => Palette,
  ) {
    const plot = element.querySelector<HTMLElement>(".plot");
    if (!plot) {
      throw new Error(`figure ${element.id} has no plot`);
    }
    this.plot = plot;
    this.lang = document.documentElement.lang || "en";
    this.words = words(this.lang);
    this.label = plot.getAttribute("aria-label") ?? element.querySelector("h3")?.textContent?.trim() ?? "";
    const controls = document.createElement("div");
    controls.className = "controls";
    this.addLegend(controls);
    this.addRanges(controls);
    if (data.kind === "hexbin") {
      this.addZoom(controls);
    }
    if (isCells(data)) {
      this.scale = controls.appendChild(document.createElement("ul"));
      this.scale.className = "scale";
      this.scale.setAttribute("aria-label", this.words("scale"));
    }
    if (controls.childElementCount > 0) {
      plot.before(controls);
    }
    this.addKeys();
    this.draw();
    this.outlined = this.addOutlines();
    new ResizeObserver(() => requestAnimationFrame(() => this.resize())).observe(plot);
  }

  /** current is the data of the chosen period. */
  private current(): Chart {
    return this.data.kind === "lines" && this.years > 0 ? lastYears(this.data, this.years) : this.data;
  }

  draw(): void {
    const width = this.printing ? printWidth : this.plot.clientWidth;
    if (width === 0) {
      return; // not laid out yet: the observer calls again when it is
    }
    const data = this.current();
    const height = heightOf(data, width);
    this.plot.style.height = `${height}px`;
    this.chart ??= this.init(width, height);
    this.chart.resize({ width, height });
    const palette = this.printing ? light : this.palette();
    this.chart.setOption(optionOf(data, this.view(palette, width)), { notMerge: true });
    // ECharts gives it the role of an image. Screen readers do not pass the
    // arrow keys on to images.
    this.plot.setAttribute("role", "application");
    this.stress("highlight");
    this.drawScale(palette);
    this.colorLegend(palette);
  }

  private view(palette: Palette, width: number): View {
    const { lang, hidden, label, outlines } = this;
    return { lang, palette, width, hidden, label, outlines, pointedAt: () => outlines[this.pointed] };
  }

  private init(width: number, height: number): ECharts {
    const chart = init(this.plot, null, { renderer: "canvas", width, height });
    const { data } = this;
    chart.on("click", (event) => this.open(event.dataIndex ?? -1));
    if (data.kind === "hexbin" && data.outlines) {
      this.followPointer(chart);
    }
    return chart;
  }

  /**
   * addOutlines loads and draws the outlines. A map works without them, too.
   */
  private async addOutlines(): Promise<void> {
    const { data } = this;
    if (data.kind !== "hexbin" || !data.outlines) {
      return;
    }
    try {
      const answer = await fetch(data.outlines.href);
      if (!answer.ok) {
        throw new Error(`${data.outlines.href}: ${answer.status}`);
      }
      this.outlines = parseOutlines(await answer.json());
    } catch (error) {
      console.warn("no outlines:", error);
      return;
    }
    this.draw();
  }

  /**
   * followPointer tracks the outline under the pointer. Its listeners are
   * called before those of the tooltip, which names that outline.
   */
  private followPointer(chart: ECharts): void {
    const zr = chart.getZr();
    zr.on("mousemove", (event) => this.pointAtOutline(this.under(event)));
    zr.on("globalout", () => this.pointAtOutline(-1));
    let touched = -1;
    zr.on("click", (event) => {
      const at = this.under(event);
      // A finger cannot hover: the first touch names the neighborhood, the
      // second one opens its page.
      if (at >= 0 && (touched === at || !event.event.type.startsWith("touch"))) {
        this.go(this.outlines[at]?.href);
      }
      touched = at;
    });
  }

  /** under is the outline at a place of the plot, in pixels. */
  private under({ offsetX, offsetY }: { offsetX: number; offsetY: number }): number {
    const [lon, lat] = (this.chart?.convertFromPixel({ gridIndex: 0 }, [offsetX, offsetY]) ?? [NaN, NaN]) as [number, number];
    return outlineAt(this.outlines, lon, lat);
  }

  private pointAtOutline(at: number): void {
    if (at !== this.pointed) {
      this.stress("downplay");
      this.pointed = at;
      this.stress("highlight");
    }
  }

  private stress(type: "highlight" | "downplay"): void {
    if (this.pointed >= 0) {
      this.chart?.dispatchAction({ type, seriesId: outlinesId, dataIndex: this.pointed });
    }
  }

  private resize(): void {
    const { chart, plot } = this;
    if (!this.printing && (!chart || chart.getWidth() !== plot.clientWidth)) {
      this.draw();
    }
  }

  /** print switches drawing for paper on or off. */
  print(on: boolean): void {
    this.printing = on;
    this.draw();
  }

  /** link is the address that a place of the chart leads to, "" for none. */
  private link(index: number): string {
    const { data } = this;
    if (data.kind === "heatmap") {
      const [x, y] = data.values[index] ?? [-1, -1];
      return cellLink(data, x, y);
    }
    return data.kind === "bars" ? (data.links[index] ?? "") : "";
  }

  private open(index: number): void {
    this.go(this.link(index));
  }

  private go(link: string | undefined): void {
    if (!link) {
      return;
    }
    if (document.body.classList.contains("embed")) {
      window.open(link, "_blank", "noopener");
    } else {
      location.assign(link);
    }
  }

  private addLegend(controls: HTMLElement): void {
    const { data } = this;
    if ((data.kind !== "lines" && data.kind !== "bars") || data.series.length < 2) {
      return;
    }
    const legend = this.group(controls, "legend", this.words("series"));
    for (const { name } of data.series) {
      const button = this.button(legend, name, () => {
        // The last one stays on: an empty chart says nothing.
        if (this.hidden.has(name)) {
          this.hidden.delete(name);
        } else if (this.hidden.size + 1 < data.series.length) {
          this.hidden.add(name);
        }
        button.setAttribute("aria-pressed", String(!this.hidden.has(name)));
        this.draw();
      });
      button.prepend(document.createElement("i"));
      button.setAttribute("aria-pressed", "true");
    }
  }

  private colorLegend(palette: Palette): void {
    const { data } = this;
    if (data.kind === "lines" || data.kind === "bars") {
      this.element.querySelectorAll<HTMLElement>(".legend i").forEach((swatch, i) => {
        swatch.style.backgroundColor = colorOf(palette, data.series[i] ?? {}, i);
      });
    }
  }

  private addRanges(controls: HTMLElement): void {
    const { data } = this;
    const offered = data.kind === "lines" ? ranges(data.x) : [];
    if (offered.length === 0) {
      return;
    }
    const group = this.group(controls, "ranges", this.words("range"));
    for (const years of [0, ...offered.toReversed()]) {
      const button = this.button(group, years === 0 ? this.words("all") : this.words("years", years), () => {
        this.years = years;
        this.at = -1;
        group.querySelectorAll("button").forEach((b) => b.setAttribute("aria-pressed", String(b === button)));
        this.draw();
      });
      button.setAttribute("aria-pressed", String(years === 0));
    }
  }

  private addZoom(controls: HTMLElement): void {
    const group = this.group(controls, "zoom", this.words("map"));
    const zoom = (factor: number): void => {
      const option = this.chart?.getOption() as { dataZoom?: { start: number; end: number }[] } | undefined;
      option?.dataZoom?.forEach(({ start, end }, dataZoomIndex) => {
        const half = Math.min(((end - start) / 2) * factor, 50);
        const middle = Math.min(Math.max((start + end) / 2, half), 100 - half);
        this.chart?.dispatchAction({ type: "dataZoom", dataZoomIndex, start: middle - half, end: middle + half });
      });
    };
    this.button(group, "+", () => zoom(0.5)).setAttribute("aria-label", this.words("zoom.in"));
    this.button(group, "−", () => zoom(2)).setAttribute("aria-label", this.words("zoom.out"));
    this.button(group, this.words("reset"), () => zoom(Infinity));
  }

  private drawScale(palette: Palette): void {
    const { data, scale } = this;
    if (!scale || !isCells(data)) {
      return;
    }
    const bounds = classes((data.kind === "hexbin" ? data.cells : data.values).map(([, , v]) => v));
    const colors = scaleOf(palette, bounds.length);
    scale.replaceChildren(
      ...bounds.map((bound, i) => {
        const item = document.createElement("li");
        item.appendChild(document.createElement("i")).style.backgroundColor = colors[i] as string;
        item.append(`≥ ${format(this.lang, bound)}`);
        return item;
      }),
    );
    if (data.unit) {
      const unit = document.createElement("li");
      unit.textContent = data.unit;
      scale.append(unit);
    }
  }

  /**
   * addKeys lets the arrow keys move through the values. Each is shown as under
   * the pointer, and read out.
   */
  private addKeys(): void {
    const { plot, data } = this;
    const w = this.words;
    plot.tabIndex = 0;
    const hint = document.createElement("p");
    hint.id = `${this.element.id}-keys`;
    hint.className = "keys";
    const texts = [w(isCells(data) ? "keys.cells" : "keys"), ...(this.link(0) ? [w("keys.link")] : [])];
    hint.appendChild(document.createElement("span")).textContent = texts.join(" ");
    plot.setAttribute("aria-describedby", hint.id);
    const said = document.createElement("p");
    said.className = "hidden";
    said.setAttribute("aria-live", "polite");
    plot.after(hint, said);
    plot.addEventListener("keydown", (event) => {
      if (event.altKey || event.ctrlKey || event.metaKey) {
        return; // the browser's own
      }
      if (event.key === "Enter" && this.at >= 0) {
        this.open(this.at);
      } else if (event.key === "Escape" && this.at >= 0) {
        this.leave();
        said.textContent = "";
      } else {
        const to = this.next(event.key);
        if (to >= 0) {
          event.preventDefault();
          this.point(to);
          said.textContent = this.say(this.current(), to);
        }
      }
    });
    plot.addEventListener("blur", () => this.leave());
  }

  /** next is the place that a key leads to, or -1 for other keys. */
  private next(key: string): number {
    const shown = this.current();
    if (isCells(shown)) {
      const direction = directions[key];
      const cells = shown.kind === "hexbin" ? shown.cells : shown.values;
      // The keys begin at the largest value, where most people look first.
      const most = (): number => cells.reduce((best, [, , v], i) => (v > (cells[best]?.[2] ?? -Infinity) ? i : best), 0);
      if (cells.length === 0 || (!direction && key !== "Home")) {
        return -1;
      }
      if (!direction || this.at < 0) {
        return most();
      }
      // Latitudes grow upwards, rows downwards.
      const [wide, high] = shown.kind === "hexbin" ? [shown.meters_per_lon, -shown.meters_per_lat] : [1, 1];
      const to = neighbour(cells.map(([x, y]) => [x * wide, y * high] as const), this.at, direction);
      return to < 0 ? this.at : to;
    }
    const places = shown.kind === "lines" ? shown.x.length : shown.categories.length;
    const known = (i: number): boolean =>
      shown.kind !== "lines" || !shown.series.every((s) => s.sparse && (s.values[i] ?? null) === null);
    const walk = (from: number, step: number): number => {
      for (let i = from; i >= 0 && i < places; i += step) {
        if (known(i)) {
          return i;
        }
      }
      return this.at;
    };
    switch (key) {
      case "ArrowRight":
      case "ArrowDown":
        return walk(this.at + 1, 1);
      case "ArrowLeft":
      case "ArrowUp":
        return walk(this.at < 0 ? places - 1 : this.at - 1, -1);
      case "Home":
        return walk(0, 1);
      case "End":
        return walk(places - 1, -1);
      default:
        return -1;
    }
  }

  /** point shows a place as under the pointer. */
  private point(to: number): void {
    const { chart } = this;
    const seriesIndex = this.firstSeries();
    if (isCells(this.data)) {
      chart?.dispatchAction({ type: "downplay", seriesIndex, dataIndex: this.at });
      chart?.dispatchAction({ type: "highlight", seriesIndex, dataIndex: to });
    }
    this.at = to;
    chart?.dispatchAction({ type: "showTip", seriesIndex, dataIndex: to });
  }

  /** leave ends the pointing. */
  private leave(): void {
    this.chart?.dispatchAction({ type: "downplay", seriesIndex: this.firstSeries() });
    this.chart?.dispatchAction({ type: "hideTip" });
    this.at = -1;
  }

  private say(data: Chart, at: number): string {
    switch (data.kind) {
      case "lines":
        return `${monthName(this.lang, data.x[at] ?? "")}: ${this.values(data.series, at, data.percent)}`;
      case "bars":
        return `${data.categories[at]}: ${this.values(data.series, at, data.percent)}`;
      case "boxes":
        return describe({ ...data, categories: data.categories.slice(at, at + 1), boxes: data.boxes.slice(at, at + 1) }, this.lang);
      case "hexbin": {
        const [lon, lat, v] = data.cells[at] ?? [0, 0, null];
        return `${withUnit(format(this.lang, v), data.unit)}: ${lat.toFixed(4)}, ${lon.toFixed(4)}`;
      }
      case "heatmap": {
        const [x, y, v] = data.values[at] ?? [0, 0, null];
        return `${data.ys[y]}, ${data.xs[x]}: ${withUnit(format(this.lang, v), data.unit)}`;
      }
    }
  }

  private values(series: readonly Series[], at: number, percent: boolean): string {
    return series
      .filter((s) => !this.hidden.has(s.name) && !(s.sparse && (s.values[at] ?? null) === null))
      .map((s) => `${s.name} ${format(this.lang, s.values[at], percent)}`)
      .join(", ");
  }

  private firstSeries(): number {
    const series = (this.chart?.getOption() as { series?: { id?: string }[] } | undefined)?.series ?? [];
    return Math.max(0, series.findIndex((s) => !String(s.id).startsWith(bandPrefix)));
  }

  private group(controls: HTMLElement, className: string, label: string): HTMLElement {
    const group = controls.appendChild(document.createElement("div"));
    group.className = className;
    group.setAttribute("role", "group");
    group.setAttribute("aria-label", label);
    return group;
  }

  private button(parent: HTMLElement, text: string, act: () => void): HTMLButtonElement {
    const button = parent.appendChild(document.createElement("button"));
    button.type = "button";
    button.append(text);
    button.addEventListener("click", act);
    return button;
  }

  /** drawn reads back what the chart shows. */
  drawn(): Drawn {
    const { chart, data } = this;
    const out: Drawn = { kind: data.kind, places: [], series: [] };
    // ECharts' types leave its model out. Its option would only repeat what was
    // put in.
    const model = (chart as unknown as { getModel(): Model } | null)?.getModel();
    model?.eachSeries((series) => {
      const all = series.getData();
      const values = Array.from({ length: all.count() }, (_, i) => {
        const row = valueDimensions(series.subType, data, all).map((d) => number(all.get(d, i)));
        return row.length === 1 ? row[0] : row;
      });
      out.series.push({ name: series.name, values });
    });
    const axes = (chart?.getOption() ?? {}) as { xAxis?: Axis[]; yAxis?: Axis[] };
    const [x, y] = [axes.xAxis?.[0], axes.yAxis?.[0]];
    const axis = data.kind === "heatmap" ? x : [x, y].find((a) => a?.type === "category");
    out.places = axis?.data ?? [];
    return out;
  }
}

interface Axis {
  type?: string;
  data?: string[];
}

/** Model is the part of ECharts' model that is read back. */
interface Model {
  eachSeries(f: (series: { name: string; subType: string; getData(): ModelData }) => void): void;
}

interface ModelData {
  count(): number;
  dimensions: string[];
  mapDimension(dim: string): string;
  getDimensionInfo(dim: string): { type: string };
  get(dim: string, i: number): unknown;
}

/** valueDimensions are the dimensions of a series that hold its values. */
function valueDimensions(subType: string, chart: Chart, all: ModelData): string[] {
  if (subType === "boxplot") {
    return all.dimensions.slice(-5);
  }
  if (isCells(chart)) {
    return all.dimensions.slice(0, 3);
  }
  const axes = [all.mapDimension("y"), all.mapDimension("x")];
  return axes.filter((d) => d && all.getDimensionInfo(d).type !== "ordinal").slice(0, 1);
}

/** isCells says whether a chart consists of cells. */
function isCells(d: Chart): d is Hexbin | Heatmap {
  return d.kind === "hexbin" || d.kind === "heatmap";
}

function number(v: unknown): unknown {
  return typeof v === "number" && Number.isNaN(v) ? null : v;
}

/** Charts are the charts of a page. */
export interface Charts {
  /** redraw draws all charts again, in the current theme. */
  redraw(): void;
  /** add draws the figures within root that are not drawn yet. */
  add(root: ParentNode): void;
  /** drawn reads back what each chart shows, by the id of its figure. */
  drawn(): Record<string, Drawn>;
  /** outlined is fulfilled when maps have their outlines. */
  outlined: Promise<unknown>;
}

/**
 * drawCharts draws every figure of the page. A figure that cannot be drawn says
 * so and shows its numbers.
 */
export function drawCharts(isDark: () => boolean): Charts {
  let figures: Figure[] = [];
  const palette = (): Palette => (isDark() ? dark : light);
  const add = (root: ParentNode): void => {
    figures = figures.filter((f) => f.element.isConnected);
    for (const element of root.querySelectorAll<HTMLElement>("figure.chart")) {
      if (figures.some((f) => f.element === element)) {
        continue;
      }
      try {
        const text = element.querySelector('script[type="application/json"]')?.textContent ?? "";
        figures.push(new Figure(element, parseChart(element.dataset["kind"], text), palette));
      } catch (error) {
        fail(element, error);
      }
    }
  };
  add(document);
  window.addEventListener("beforeprint", () => figures.forEach((f) => f.print(true)));
  window.addEventListener("afterprint", () => figures.forEach((f) => f.print(false)));
  return {
    add,
    redraw: () => figures.forEach((f) => f.draw()),
    outlined: Promise.all(figures.map((f) => f.outlined)),
    drawn: () => Object.fromEntries(figures.map((f) => [f.element.id, f.drawn()])),
  };
}

function fail(element: HTMLElement, error: unknown): void {
  console.error(`chart ${element.id}:`, error);
  const note = document.createElement("p");
  note.className = "failed";
  note.textContent = words(document.documentElement.lang)("failed");
  element.querySelector(".plot")?.replaceWith(note);
  element.querySelector("details.numbers")?.setAttribute("open", "");
}
