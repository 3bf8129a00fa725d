import { describe as group, expect, test } from "vitest";
import {
  type Hexbin,
  type Lines,
  aspect,
  classOf,
  classes,
  compareKeys,
  describe,
  extent,
  format,
  hexCorners,
  isAges,
  isMonths,
  isOrdered,
  lastYears,
  markIndex,
  monthName,
  neighbour,
  parseChart,
  ranges,
  short,
  sortKey,
  yearStep,
} from "./data";

const months = (n: number, from = 2001): string[] =>
  Array.from({ length: n }, (_, i) => `${from + Math.floor(i / 12)}-${String((i % 12) + 1).padStart(2, "0")}`);

const lines = (x: string[], values: (number | null)[]): Lines => ({
  kind: "lines", x, xUnit: "", unit: "locations", percent: false, series: [{ name: "Opened", values }], marks: [],
});

group("parseChart", () => {
  test("reads what the server writes", () => {
    const text = '{"x":["2001-01","2001-02"],"unit":"","percent":false,"series":[{"name":"Opened","type":"bar","values":[1,null]}]}';
    expect(parseChart("lines", text)).toEqual({
      kind: "lines", x: ["2001-01", "2001-02"], xUnit: "", unit: "", percent: false, marks: [],
      series: [{ name: "Opened", type: "bar", values: [1, null] }],
    });
  });
  test("says what is wrong", () => {
    expect(() => parseChart("pie", "{}")).toThrow("no such kind of chart: pie");
    expect(() => parseChart("lines", '{"x":["a"],"series":[{"name":"Opened","values":[1,2]}]}')).toThrow("values of Opened: 2 for 1 places");
    expect(() => parseChart("bars", '{"categories":"a"}')).toThrow("categories is no list");
    expect(() => parseChart("bars", "[]")).toThrow("no object");
  });
});

group("numbers", () => {
  test("are grouped in the page's language", () => {
    expect(format("en", 123456)).toBe("123,456");
    expect(format("es", 1234)).toBe("1.234");
    expect(format("en", 2.345)).toBe("2.3");
    expect(format("en", 0.0312)).toBe("0.031");
    expect(format("en", 12.34, true)).toBe("12.3 %");
    expect(format("es", 12.34, true)).toBe("12,3 %");
  });
  test("that are unknown are never zero", () => {
    expect(format("en", null)).toBe("unknown");
    expect(format("es", undefined)).toBe("desconocido");
    expect(format("en", 0)).toBe("0");
  });
  test("are short on axes", () => {
    expect(short("en", 9000)).toBe("9,000");
    expect(short("en", 120000)).toBe("120K");
    expect(short("en", 25, true)).toBe("25 %");
  });
});

group("months", () => {
  test("are told from other places", () => {
    expect(isMonths(["2001-01", "2001-02"])).toBe(true);
    expect(isMonths(["2001"])).toBe(false);
    expect(isMonths([])).toBe(false);
    expect(isOrdered(["1990", "1991"])).toBe(true);
    expect(isOrdered(["Mission", "Sunset"])).toBe(false);
    expect(isAges(["0", "1", "2"])).toBe(true);
    expect(isAges(["2001", "2002"])).toBe(false);
  });
  test("have names", () => {
    expect(monthName("en", "2014-10")).toBe("Oct 2014");
    expect(monthName("es", "2014-10")).toBe("oct 2014");
    expect(monthName("en", "36")).toBe("36");
  });
  test("are labeled as far apart as there is room", () => {
    expect(yearStep(60, 10)).toBe(1);
    expect(yearStep(300, 5)).toBe(5);
    expect(yearStep(1800, 3)).toBe(50);
  });
  test("offer periods clearly shorter than all", () => {
    expect(ranges(months(60))).toEqual([]);
    expect(ranges(months(240))).toEqual([5, 10]);
    expect(ranges(["1", "2"])).toEqual([]);
  });
  test("can be cut to the last years", () => {
    const d = lines(months(24), Array.from({ length: 24 }, (_, i) => i));
    const cut = lastYears(d, 1);
    expect(cut.x[0]).toBe("2002-01");
    expect(cut.series[0]?.values).toEqual([12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23]);
  });
  test("find their marks", () => {
    const x = months(36, 2013);
    expect(x[markIndex(x, "2014-10")]).toBe("2014-10");
    expect(x[markIndex(x, "2014")]).toBe("2014-01");
    expect(markIndex(x, "2012-12")).toBe(-1);
    expect(markIndex(x, "2019-01")).toBe(-1);
  });
});

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
  const grid = { size: 250 / Math.sqrt(3), metersPerLon: 88_000, metersPerLat: 111_195, flat: false };
  test("have a corner to the north and are as wide as they should be", () => {
    const corners = hexCorners(-122.4, 37.7, grid).map(([lon, lat]) => [(lon + 122.4) * 88_000, (lat - 37.7) * 111_195] as const);
    const xs = corners.map(([x]) => x);
    const ys = corners.map(([, y]) => y);
    expect(Math.max(...xs) - Math.min(...xs)).toBeCloseTo(250, 6);
    expect(Math.max(...ys) - Math.min(...ys)).toBeCloseTo((250 * 2) / Math.sqrt(3), 6);
    expect(corners.filter(([x]) => Math.abs(x) < 1e-6)).toHaveLength(2);
  });
  test("lie within their map", () => {
    const d: Hexbin = { kind: "hexbin", grid, unit: "", box: null, cells: [[-122.4, 37.7, 1], [-122.39, 37.71, 2]] };
    const [w, s, e, n] = extent(d);
    for (const [x, y] of d.cells.flatMap(([lon, lat]) => hexCorners(lon, lat, grid))) {
      expect(x >= w && x <= e && y >= s && y <= n).toBe(true);
    }
    expect(aspect([-122.4, 37.7, -122.3, 37.8], grid)).toBeCloseTo(0.791, 3);
  });
  test("without a size are refused", () => {
    expect(() => parseChart("hexbin", '{"size":0,"cells":[]}')).toThrow("size is no length");
  });
});

group("describe", () => {
  test("says the latest, lowest and highest of a line", () => {
    expect(describe(lines(["2001-01", "2001-02", "2001-03"], [5, 1, null]), "en")).toBe(
      "From Jan 2001 to Mar 2001. Opened: 1 locations in Feb 2001, lowest 1 locations in Feb 2001, highest 5 locations in Jan 2001.",
    );
  });
  test("says the largest bars", () => {
    const d = parseChart("bars", '{"categories":["A","B"],"series":[{"name":"Open","values":[1,1200]}]}');
    expect(describe(d, "es")).toBe("Open: B 1.200, A 1.");
  });
});

group("sorting", () => {
  test("knows numbers in both languages", () => {
    expect(sortKey("en", "1,234")).toBe(1234);
    expect(sortKey("es", "1.234,5")).toBe(1234.5);
    expect(sortKey("en", "12.5 %")).toBe(12.5);
    expect(sortKey("en", "−3")).toBe(-3);
    expect(sortKey("en", "2014-10-01")).toBe("2014-10-01");
    expect(sortKey("en", "94110-1234")).toBe("94110-1234");
    expect(sortKey("en", "–")).toBeNull();
  });
  test("puts the unknown last in any order", () => {
    const order = (down: boolean): unknown[] => [3, null, 10, 2].sort((a, b) => compareKeys("en", a, b, down));
    expect(order(false)).toEqual([2, 3, 10, null]);
    expect(order(true)).toEqual([10, 3, 2, null]);
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

test("a cell of a heat map leads to the list of what it counts", () => {
  const d = parseChart("heatmap", '{"xs":["Retail"],"ys":["Mission"],"values":[[0,0,3]],"x_keys":["44-45"],"y_keys":["Castro/Upper Market"],"link":"/en/businesses"}');
  expect(d.kind === "heatmap" && d.link(0, 0)).toBe("/en/businesses?neighborhood=Castro%2FUpper+Market&open=yes&sector=44-45");
  expect(d.kind === "heatmap" && d.link(5, 0)).toBe("");
});
