import { describe as group, expect, test } from "vitest";
import { compareKeys, sortKey } from "./sort";

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
