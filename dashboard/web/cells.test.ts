import { describe as group, expect, test } from "vitest";
import { aspect, classOf, classes, extent, hexCorners, neighbour } from "./cells";
import type { Hexbin } from "./contract";

group("classes", () => {
  test("rise, begin at the least value and hold every value", () => {
    const values = Array.from({ length: 500 }, (_, i) => Math.round(1.02 ** i));
    const bounds = classes(values);
    expect(bounds[0]).toBe(1);
    expect(bounds.length).toBeGreaterThan(4);
    expect(bounds).toEqual([...bounds].sort((a, b) => a - b));
    for (const v of values) {
      const at = classOf(bounds, v);
      expect(v).toBeGreaterThanOrEqual(bounds[at] as number);
      expect(v).toBeLessThan(bounds[at + 1] ?? Infinity);
    }
  });
  test("are few for few values", () => {
    expect(classes([])).toEqual([]);
    expect(classes([null])).toEqual([]);
    expect(classes([3, 3, 3])).toEqual([3]);
  });
});

group("hexagons", () => {
  const grid = { size: 250 / Math.sqrt(3), meters_per_lon: 88_000, meters_per_lat: 111_195 };
  test("have a corner to the north and are as wide as they should be", () => {
    const corners = hexCorners(-122.4, 37.7, grid).map(([lon, lat]) => [(lon + 122.4) * 88_000, (lat - 37.7) * 111_195] as const);
    const xs = corners.map(([x]) => x);
    const ys = corners.map(([, y]) => y);
    expect(Math.max(...xs) - Math.min(...xs)).toBeCloseTo(250, 6);
    expect(Math.max(...ys) - Math.min(...ys)).toBeCloseTo((250 * 2) / Math.sqrt(3), 6);
    expect(corners.filter(([x]) => Math.abs(x) < 1e-6)).toHaveLength(2);
  });
  test("lie within their map", () => {
    const d: Hexbin = { ...grid, unit: "", box: [0, 0, 1, 1], cells: [[-122.4, 37.7, 1], [-122.39, 37.71, 2]] };
    const [w, s, e, n] = extent(d);
    for (const [x, y] of d.cells.flatMap(([lon, lat]) => hexCorners(lon, lat, grid))) {
      expect(x >= w && x <= e && y >= s && y <= n).toBe(true);
    }
    expect(aspect([-122.4, 37.7, -122.3, 37.8], grid)).toBeCloseTo(0.791, 3);
  });
});

test("arrow keys go to the nearest cell ahead, and nowhere at the edge", () => {
  // Rows of hexagons lie half a cell aside of each other.
  const cells = [[0, 0], [1, 0], [0.5, 0.87], [1.5, 0.87], [4, 0]] as const;
  expect(neighbour(cells, 0, [1, 0])).toBe(1);
  expect(neighbour(cells, 1, [-1, 0])).toBe(0);
  expect(neighbour(cells, 1, [1, 0])).toBe(4);
  expect([2, 3]).toContain(neighbour(cells, 1, [0, 1]));
  expect(neighbour(cells, 4, [1, 0])).toBe(-1);
  expect(neighbour(cells, 0, [0, -1])).toBe(-1);
});
