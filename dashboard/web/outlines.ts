// The outlines of neighborhoods over a map: which one a place lies in, and how
// they are drawn. They come as GeoJSON from an address of their own, which the
// browser keeps.

import type { Box, OutlineProperty } from "./contract";
import type { CustomSeriesRenderItem, SeriesOption } from "./echarts";
import type { Palette } from "./palette";

type Ring = [number, number][];

/**
 * Outline is a neighborhood: polygons of rings of [longitude, latitude]. The
 * first ring of a polygon is the outer one.
 */
export interface Outline {
  name: string;
  /** href is the address of its page, "" where it has none. */
  href: string;
  polygons: Ring[][];
  box: Box;
}

/**
 * areasId and outlinesId are the two series of the outlines: the areas, which
 * react to the pointer, and the lines.
 */
export const areasId = "areas";
export const outlinesId = "outlines";

interface Feature {
  properties?: Partial<Record<OutlineProperty, unknown>>;
  geometry?: { type?: unknown; coordinates?: unknown };
}

/**
 * parseOutlines reads a GeoJSON FeatureCollection of MultiPolygons. It throws
 * an error that says what is wrong with it.
 */
export function parseOutlines(raw: unknown): Outline[] {
  const features = (raw as { features?: unknown } | null)?.features;
  if (!Array.isArray(features)) {
    throw new Error("the outlines are not a FeatureCollection");
  }
  return features.map((f: Feature) => {
    const { name, href } = f.properties ?? {};
    if (typeof name !== "string" || f.geometry?.type !== "MultiPolygon") {
      throw new Error("an outline has no name or no polygons");
    }
    const polygons = f.geometry.coordinates as Ring[][];
    const box: Box = [Infinity, Infinity, -Infinity, -Infinity];
    for (const [x, y] of polygons.flat(2)) {
      box[0] = Math.min(box[0], x);
      box[1] = Math.min(box[1], y);
      box[2] = Math.max(box[2], x);
      box[3] = Math.max(box[3], y);
    }
    return { name, href: typeof href === "string" ? href : "", polygons, box };
  });
}

/** outlineAt is the index of the outline around a place, or -1. */
export function outlineAt(outlines: readonly Outline[], lon: number, lat: number): number {
  return outlines.findIndex(
    ({ polygons, box: [w, s, e, n] }) => lon >= w && lon <= e && lat >= s && lat <= n && polygons.some((rings) => within(rings, lon, lat)),
  );
}

/**
 * within says whether a place lies within a polygon, but not in a hole of it: a
 * ray from there to the east crosses its rings an odd number of times.
 */
function within(rings: readonly Ring[], lon: number, lat: number): boolean {
  let inside = false;
  for (const ring of rings) {
    ring.forEach(([x1, y1], i) => {
      const [x2, y2] = ring[(i + 1) % ring.length] as [number, number];
      if (y1 > lat !== y2 > lat && lon < x1 + ((lat - y1) / (y2 - y1)) * (x2 - x1)) {
        inside = !inside;
      }
    });
  }
  return inside;
}

/**
 * outlineSeries are the areas, below the cells so that they react to the
 * pointer where there is no cell, and the lines, above the cells.
 */
export function outlineSeries(outlines: readonly Outline[], palette: Palette): SeriesOption[] {
  if (outlines.length === 0) {
    return [];
  }
  // Each ring is drawn once in each of the looks, one above the other.
  const render =
    (...looks: { style: object; emphasis?: object }[]): CustomSeriesRenderItem =>
    (params, api) => {
      const rings = (outlines[params.dataIndex]?.polygons ?? []).flat().map((ring) => ring.map((p) => api.coord(p)) as [number, number][]);
      return {
        type: "group",
        children: looks.flatMap(({ style, emphasis }) =>
          rings.map((points) => ({ type: "polygon" as const, shape: { points }, style, emphasis: { style: emphasis ?? {} } })),
        ),
      };
    };
  const line = { fill: "none", lineJoin: "round" };
  const common = {
    type: "custom",
    data: outlines.map(({ box: [w, s, e, n] }) => [(w + e) / 2, (s + n) / 2]),
    dimensions: ["lon", "lat"],
    encode: { x: 0, y: 1 },
    clip: true,
    progressive: 0,
  };
  return [
    { ...common, id: areasId, name: areasId, z: 1, renderItem: render({ style: { fill: "transparent" } }) } as SeriesOption,
    {
      ...common,
      id: outlinesId,
      name: outlinesId,
      z: 3,
      silent: true,
      // A seam in the background's color keeps the line visible over cells that
      // are as dark as itself.
      renderItem: render(
        { style: { ...line, stroke: palette.background, opacity: 0.7, lineWidth: 2.5 }, emphasis: { opacity: 1, lineWidth: 5 } },
        { style: { ...line, stroke: palette.text, opacity: 0.6, lineWidth: 0.75 }, emphasis: { opacity: 1, lineWidth: 2.5 } },
      ),
    } as SeriesOption,
  ];
}
