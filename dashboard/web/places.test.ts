import { describe as group, expect, test } from "vitest";
import type { Lines } from "./data";
import { isAges, isMonths, isOrdered, lastYears, markIndex, ranges, yearStep } from "./places";

const months = (n: number, from = 2001): string[] =>
  Array.from({ length: n }, (_, i) => `${from + Math.floor(i / 12)}-${String((i % 12) + 1).padStart(2, "0")}`);

const lines = (x: string[], values: (number | null)[]): Lines => ({
  kind: "lines", x, x_unit: "", unit: "locations", percent: false, series: [{ name: "Opened", type: "line", values }], marks: [],
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
