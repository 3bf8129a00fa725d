import { expect, test } from "vitest";
import { languageOf, words } from "./words";

test("texts are in the page's language, with the values in their places", () => {
  expect(words("en")("cells", 12, "1", "$&")).toBe("12 cells, from 1 to $&.");
  expect(words("es-MX")("years", 5)).toBe("5 años");
});

test("languages without texts get English", () => {
  expect(["fr", "", "constructor"].map(languageOf)).toEqual(["en", "en", "en"]);
});
