// What a chart shows, in words.

import type { Value } from "./contract";
import type { Chart } from "./data";
import { format, monthName, withUnit } from "./format";
import { words } from "./words";

/**
 * describe says in a few sentences what a chart shows, for people who do not
 * see it.
 */
export function describe(d: Chart, lang: string): string {
  const w = words(lang);
  const say = (v: Value | undefined, percent = false): string => withUnit(format(lang, v, percent), d.unit, percent);
  switch (d.kind) {
    case "lines": {
      const at = (i: number): string => monthName(lang, d.x[i] ?? "");
      const parts = d.series.flatMap((s) => {
        const known = s.values.flatMap((v, i) => (v === null ? [] : [{ v, i }]));
        const last = known.at(-1);
        if (!last) {
          return [`${s.name}: ${w("unknown")}.`];
        }
        const low = known.reduce((a, b) => (b.v < a.v ? b : a));
        const high = known.reduce((a, b) => (b.v > a.v ? b : a));
        const told = [last, low, high].flatMap(({ v, i }) => [say(v, d.percent), at(i)]);
        return [w("line", s.name, ...told)];
      });
      return [w("span", at(0), at(d.x.length - 1)), ...parts].join(" ");
    }
    case "bars":
      return d.series
        .map((s) => {
          const order = s.values.flatMap((v, i) => (v === null ? [] : [{ v, i }])).sort((a, b) => b.v - a.v);
          const list = order.slice(0, 5).map(({ v, i }) => `${d.categories[i]} ${format(lang, v, d.percent)}`);
          return w("top", s.name, list.join(", ") || w("unknown"));
        })
        .join(" ");
    case "hexbin":
    case "heatmap": {
      const values = (d.kind === "hexbin" ? d.cells : d.values).map(([, , v]) => v);
      if (values.length === 0) {
        return w("unknown");
      }
      const low = values.reduce((a, b) => Math.min(a, b));
      const high = values.reduce((a, b) => Math.max(a, b));
      return w("cells", format(lang, values.length), say(low), say(high));
    }
    case "boxes":
      return d.categories
        .map((name, i) => ({ name, box: d.boxes[i] ?? [] }))
        .slice(0, 8)
        .map(({ name, box }) => w("box", name, say(box[2]), say(box[1]), say(box[3])))
        .join(" ");
  }
}
