import { expect, test } from "vitest";
import { type Chart, parseChart } from "./data";
import { bandPrefix, heightOf, optionOf, type View } from "./options";
import { light } from "./palette";

const view: View = { lang: "en", palette: light, width: 800, hidden: new Set(), label: "Openings" };

interface Drawn {
  id: string;
  name: string;
  data: unknown[];
  itemStyle: { color: string };
  connectNulls?: boolean;
  markLine?: { data: { xAxis: number }[] };
}

const seriesOf = (d: Chart, v = view): Drawn[] => optionOf(d, v).series as unknown as Drawn[];

const months = parseChart(
  "lines",
  JSON.stringify({
    x: ["2014-09", "2014-10", "2014-11"],
    series: [
      { name: "Opened", values: [1, null, 3] },
      { name: "Closed", type: "bar", values: [0, 2, 1] },
    ],
    marks: [{ x: "2014-10", label: "New system" }, { x: "1999-01", label: "Before all" }],
  }),
);

test("values are drawn as they are, unknown ones not as zero", () => {
  expect(seriesOf(months).map((s) => s.data)).toEqual([[1, null, 3], [0, 2, 1]]);
});

test("a series keeps its color when another is hidden", () => {
  const [closed] = seriesOf(months, { ...view, hidden: new Set(["Opened"]) });
  expect(closed?.name).toBe("Closed");
  expect(closed?.itemStyle.color).toBe(light.series[1]);
});

test("breaks within the period are marked", () => {
  expect(seriesOf(months)[0]?.markLine?.data.map((m) => m.xAxis)).toEqual([1]);
});

test("a band is the room between its bounds, and unknown where either is", () => {
  const d = parseChart(
    "lines",
    JSON.stringify({
      x: ["0", "1", "2"],
      percent: true,
      series: [{ name: "All", type: "step", values: [100, 90, 80], low: [100, 85, null], high: [100, 95, 90] }],
    }),
  );
  const bands = seriesOf(d).filter((s) => s.id.startsWith(bandPrefix));
  expect(bands).toHaveLength(2);
  const room = bands[1]?.data as (number | null)[];
  expect(room[0]).toBe(0);
  expect(room[1]).toBeCloseTo(10);
  expect(room[2]).toBeNull();
});

test("names lie beside their bars, years below them", () => {
  const option = (categories: string[]): { xAxis: { type: string } } =>
    optionOf(parseChart("bars", JSON.stringify({ categories, series: [{ name: "n", values: categories.map(() => 1) }] })), view) as never;
  expect(option(["Mission", "Sunset"]).xAxis.type).toBe("value");
  expect(option(["1999", "2000"]).xAxis.type).toBe("category");
});

test("values of some places only are joined, those of a month that is missing are not", () => {
  const joined = (sparse: boolean): boolean | undefined => {
    const data = { x: ["2024-01", "2024-02", "2024-03"], series: [{ name: "Open", sparse, values: [1, null, 3] }] };
    return seriesOf(parseChart("lines", JSON.stringify(data)))[0]?.connectNulls;
  };
  expect(joined(true)).toBe(true);
  expect(joined(false)).toBe(false);
});

test("an axis ends at what values can be at most", () => {
  const d = parseChart("bars", '{"categories":["Name"],"unit":"V","max":1,"series":[{"name":"V","values":[0.9]}]}');
  const option = optionOf(d, view) as unknown as { xAxis: { max: number } };
  expect(option.xAxis.max).toBe(1);
});

test("a map is as high as its cells need", () => {
  const cells = [[-122.5, 37.7, 1], [-122.4, 37.8, 2]];
  const d = parseChart("hexbin", JSON.stringify({ size: 144.3, meters_per_lon: 88_000, meters_per_lat: 111_195, cells, unit: "open" }));
  expect(heightOf(d, 400)).toBeGreaterThan(400);
  expect(heightOf(d, 2000)).toBe(640);
});

test("people who do not see a chart are told what it says", () => {
  const { aria } = optionOf(months, view) as { aria: { label: { description: string } } };
  expect(aria.label.description).toContain("Openings. From Sep 2014 to Nov 2014. Opened: 3 in Nov 2014");
});
