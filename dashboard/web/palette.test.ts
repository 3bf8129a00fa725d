import { expect, test } from "vitest";
import { contrast, dark, light, scaleOf } from "./palette";

test.each([["light", light], ["dark", dark]])("the %s colors can be seen", (_name, palette) => {
  for (const color of palette.series) {
    expect(contrast(color, palette.background), color).toBeGreaterThanOrEqual(3);
  }
  expect(contrast(palette.text, palette.background)).toBeGreaterThanOrEqual(7);
  expect(contrast(palette.muted, palette.background)).toBeGreaterThanOrEqual(4.5);
});

test.each([["light", light], ["dark", dark]])("the %s scale only goes away from the background", (_name, palette) => {
  const contrasts = palette.scale.map((color) => contrast(color, palette.background));
  expect(contrasts).toEqual([...contrasts].sort((a, b) => a - b));
});

test("a scale of few classes uses both ends", () => {
  expect(scaleOf(light, 3)).toEqual([light.scale[0], light.scale[3], light.scale[6]]);
  expect(scaleOf(light, 1)).toEqual([light.scale[6]]);
});
