// The colors of charts, in both themes. Each color of a series has a contrast
// of at least 3:1 to its background. Lines differ in their dashes too, so that
// nobody has to tell them apart by hue alone.

import type { Role } from "./contract";

export interface Palette {
  background: string;
  text: string;
  muted: string;
  rule: string;
  /** emphasis is the edge of the cell under the pointer, unlike the scale. */
  emphasis: string;
  /** series in the order in which a chart uses them. */
  series: readonly string[];
  /** scale of ordered classes, lowest first. */
  scale: readonly string[];
}

/** light is used in print too. */
export const light: Palette = {
  background: "#ffffff",
  text: "#1b2430",
  muted: "#566270",
  rule: "#dfe3e8",
  emphasis: "#c8480b",
  series: ["#0f62a8", "#c8480b", "#6d7784", "#00796b", "#8a4fae", "#946200", "#b0286a", "#3f7f1f"],
  scale: ["#d8e6f3", "#b3d0e8", "#85b4da", "#5594c6", "#2f74af", "#155591", "#08366b"],
};

export const dark: Palette = {
  background: "#181e26",
  text: "#e4e9ef",
  muted: "#a3afbc",
  rule: "#303946",
  emphasis: "#ff9560",
  series: ["#69b1f0", "#ff9560", "#a3afbc", "#4fcdb4", "#cba2f2", "#e2b64a", "#f58abb", "#9dd072"],
  scale: ["#1f3b57", "#265379", "#2f6e9f", "#438cc3", "#6aaade", "#9bc9ef", "#d6ebfd"],
};

/** roles are the colors of the roles, as places in the palette's series. */
const roles: Record<Role, number> = {
  opened: 0,
  closed: 1,
  administrative: 2,
  survivors: 2,
  reconstructed: 0,
  provisional: 5,
  observed: 3,
};

/** colorOf is the color of the i-th series of a chart. */
export function colorOf(palette: Palette, series: { role?: Role }, i: number): string {
  return palette.series[series.role ? roles[series.role] : i % palette.series.length] as string;
}

/** scaleOf spreads a palette's scale over n classes. */
export function scaleOf(palette: Palette, n: number): string[] {
  const most = palette.scale.length - 1;
  return Array.from({ length: n }, (_, i) => palette.scale[n < 2 ? most : Math.round((i * most) / (n - 1))] as string);
}

/**
 * contrast is that of two #rrggbb colors, 1 to 21 (WCAG 2.2, relative
 * luminance).
 */
export function contrast(a: string, b: string): number {
  const luminance = (color: string): number => {
    const [r, g, bl] = [1, 3, 5].map((i) => {
      const v = Number.parseInt(color.slice(i, i + 2), 16) / 255;
      return v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
    }) as [number, number, number];
    return 0.2126 * r + 0.7152 * g + 0.0722 * bl;
  };
  const [x, y] = [luminance(a), luminance(b)];
  return (Math.max(x, y) + 0.05) / (Math.min(x, y) + 0.05);
}
