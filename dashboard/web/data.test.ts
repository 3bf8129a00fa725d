import { describe as group, expect, test } from "vitest";
import { type Heatmap, cellLink, parseChart } from "./data";

group("parseChart", () => {
  test("reads what the server writes", () => {
    const text = '{"x":["2001-01","2001-02"],"unit":"","percent":false,"series":[{"name":"Opened","type":"bar","values":[1,null]}]}';
    expect(parseChart("lines", text)).toEqual({
      kind: "lines", x: ["2001-01", "2001-02"], x_unit: "", unit: "", percent: false, marks: [],
      series: [{ name: "Opened", type: "bar", values: [1, null] }],
    });
  });
  test("says what is wrong", () => {
    expect(() => parseChart("pie", "{}")).toThrow("no such kind of chart: pie");
    const long = '{"x":["a"],"series":[{"name":"Opened","values":[1,2]}]}';
    expect(() => parseChart("lines", long)).toThrow("values of Opened: 2 for 1 places");
    expect(() => parseChart("bars", '{"categories":"a"}')).toThrow("categories is not a list");
    expect(() => parseChart("bars", "[]")).toThrow("not an object");
  });
  test("refuses a map without a size", () => {
    expect(() => parseChart("hexbin", '{"size":0,"cells":[]}')).toThrow("size is not a length");
  });
});

test("a cell of a heat map leads to the list of what it counts", () => {
  const d = parseChart(
    "heatmap",
    JSON.stringify({
      xs: ["Retail"],
      ys: ["Mission"],
      values: [[0, 0, 3]],
      x_keys: ["44-45"],
      y_keys: ["Castro/Upper Market"],
      x_parameter: "sector",
      y_parameter: "neighborhood",
      link: "/en/businesses?open=yes",
    }),
  ) as Heatmap;
  expect(cellLink(d, 0, 0)).toBe("/en/businesses?neighborhood=Castro%2FUpper+Market&open=yes&sector=44-45");
  expect(cellLink(d, 5, 0)).toBe("");
});
