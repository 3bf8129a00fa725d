// The cells of maps and heat maps: their classes of color, and where they lie.

import type { Box, Hexbin, Value } from "./contract";

/** Grid is what the hexagons of a map have in common. */
export type Grid = Pick<Hexbin, "size" | "meters_per_lon" | "meters_per_lat">;

/**
 * classes are the lower bounds of at most `most` classes of color. They are
 * quantiles, rounded to one significant digit: with equal steps, the dense
 * center of a city would leave all the rest in one color.
 */
export function classes(values: readonly Value[], most = 7): number[] {
  const sorted = values.filter((v): v is number => v !== null && Number.isFinite(v)).sort((a, b) => a - b);
  const lowest = sorted[0];
  if (lowest === undefined) {
    return [];
  }
  const bounds = [lowest];
  for (let i = 1; i < most; i++) {
    const v = sorted[Math.floor((i / most) * sorted.length)] as number;
    const unit = 10 ** Math.floor(Math.log10(Math.abs(v) || 1));
    const round = Number((Math.round(v / unit) * unit).toPrecision(1));
    if (round > (bounds.at(-1) as number)) {
      bounds.push(round);
    }
  }
  return bounds.filter((b) => b <= (sorted.at(-1) as number));
}

/** classOf is the index of the class a value is in. */
export function classOf(bounds: readonly number[], v: number): number {
  let at = 0;
  bounds.forEach((b, i) => {
    if (v >= b) {
      at = i;
    }
  });
  return at;
}

/** hexCorners are the corners of the hexagon around a place, in degrees. */
export function hexCorners(lon: number, lat: number, grid: Grid): [number, number][] {
  return [0, 1, 2, 3, 4, 5].map((i) => {
    const angle = ((60 * i + 30) * Math.PI) / 180;
    return [lon + (grid.size * Math.cos(angle)) / grid.meters_per_lon, lat + (grid.size * Math.sin(angle)) / grid.meters_per_lat];
  });
}

/** extent is the box around all cells and outlines. */
export function extent(d: Hexbin): Box {
  let [w, s, e, n] = d.outlines?.box ?? [Infinity, Infinity, -Infinity, -Infinity];
  for (const [lon, lat] of d.cells) {
    for (const [x, y] of hexCorners(lon, lat, d)) {
      [w, s, e, n] = [Math.min(w, x), Math.min(s, y), Math.max(e, x), Math.max(n, y)];
    }
  }
  return d.cells.length > 0 || d.outlines ? [w, s, e, n] : d.box;
}

/** aspect is the width of a box on the ground divided by its height. */
export function aspect([w, s, e, n]: Box, grid: Grid): number {
  return ((e - w) * grid.meters_per_lon) / ((n - s) * grid.meters_per_lat);
}

/**
 * neighbour is the next cell in a direction, or -1 where there is none: the
 * nearest of those within 45 degrees of the direction. Cells are at [x, y].
 */
export function neighbour(cells: readonly (readonly [number, number])[], from: number, [dx, dy]: readonly [number, number]): number {
  const start = cells[from];
  if (!start) {
    return -1;
  }
  let [best, least] = [-1, Infinity];
  cells.forEach(([x, y], i) => {
    const along = (x - start[0]) * dx + (y - start[1]) * dy;
    const across = Math.abs((x - start[0]) * dy) + Math.abs((y - start[1]) * dx);
    // A cell straight ahead counts as nearer than one to the side.
    const distance = along + 2 * across;
    if (along > 1e-9 && across <= along * (1 + 1e-9) && distance < least) {
      [best, least] = [i, distance];
    }
  });
  return best;
}
