import { describe as group, expect, test } from "vitest";
import { format, monthName, short } from "./format";

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

test("months have names", () => {
  expect(monthName("en", "2014-10")).toBe("Oct 2014");
  expect(monthName("es", "2014-10")).toBe("oct 2014");
  expect(monthName("en", "36")).toBe("36");
});
