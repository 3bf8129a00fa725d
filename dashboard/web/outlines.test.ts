import { expect, test } from "vitest";
import { extent } from "./cells";
import { type Hexbin, parseChart } from "./data";
import { optionOf } from "./options";
import { areasId, outlineAt, outlinesId, outlineSeries, parseOutlines } from "./outlines";
import { light } from "./palette";

const square = (w: number, s: number, size: number): [number, number][] => [
  [w, s],
  [w + size, s],
  [w + size, s + size],
  [w, s + size],
  [w, s],
];

const geojson = {
  type: "FeatureCollection",
  features: [
    {
      type: "Feature",
      properties: { name: "Mission", href: "/en/neighborhoods/Mission" },
      geometry: { type: "MultiPolygon", coordinates: [[square(0, 0, 4), square(1, 1, 2)], [square(10, 0, 1)]] },
    },
    { type: "Feature", properties: { name: "Bay" }, geometry: { type: "MultiPolygon", coordinates: [[square(1, 1, 2)]] } },
  ],
};

test("a place is in the outline around it, not in its hole, and in each of its islands", () => {
  const outlines = parseOutlines(geojson);
  const at = (lon: number, lat: number): string | undefined => outlines[outlineAt(outlines, lon, lat)]?.name;
  expect(at(0.5, 2)).toBe("Mission");
  expect(at(2, 2)).toBe("Bay");
  expect(at(10.5, 0.5)).toBe("Mission");
  expect(at(7, 0.5)).toBeUndefined();
  expect(at(2, 5)).toBeUndefined();
  expect(outlineAt(outlines, NaN, NaN)).toBe(-1);
  expect(outlines.map((o) => o.href)).toEqual(["/en/neighborhoods/Mission", ""]);
  expect(outlines[0]?.box).toEqual([0, 0, 11, 4]);
});

test("what is no outline is refused", () => {
  expect(() => parseOutlines([])).toThrow("not a FeatureCollection");
  expect(() => parseOutlines({ features: [{ properties: {}, geometry: { type: "MultiPolygon" } }] })).toThrow("no name or no polygons");
  expect(() => parseOutlines({ features: [{ properties: { name: "A" }, geometry: { type: "Point" } }] })).toThrow("no name or no polygons");
});

const map = '"size":144.3,"meters_per_lon":88000,"meters_per_lat":111195,"cells":[[2,2,1]],"unit":"open"';

test("a map draws each outline, and leaves room for them before they are there", () => {
  const d = parseChart("hexbin", `{${map},"outlines":{"href":"/data/boundaries.json","box":[0,0,11,4]}}`) as Hexbin;
  expect(extent(d)).toEqual([0, 0, 11, 4]);
  const view = { lang: "en", palette: light, width: 800, hidden: new Set<string>(), label: "" };
  const series = optionOf(d, { ...view, outlines: parseOutlines(geojson) }).series as { id: string; data: unknown[] }[];
  expect(series.map((s) => [s.id, s.data.length])).toEqual([["s0", 1], [areasId, 2], [outlinesId, 2]]);
});

test("a map without outlines is as it would be", () => {
  const d = parseChart("hexbin", `{${map}}`) as Hexbin;
  expect(d.outlines).toBeUndefined();
  expect(outlineSeries([], light)).toEqual([]);
});
