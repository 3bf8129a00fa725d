import { describe as group, expect, test } from "vitest";
import { type Lines, parseChart } from "./data";
import { describe } from "./describe";

const lines = (x: string[], values: (number | null)[]): Lines => ({
  kind: "lines", x, x_unit: "", unit: "locations", percent: false, series: [{ name: "Opened", type: "line", values }], marks: [],
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
