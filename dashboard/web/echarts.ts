// The parts of ECharts that the charts need, and no others: ECharts is most of
// the bundle's size.

import { BarChart, BoxplotChart, CustomChart, HeatmapChart, LineChart } from "echarts/charts";
import {
  AriaComponent,
  DataZoomInsideComponent,
  GridComponent,
  MarkLineComponent,
  TooltipComponent,
  VisualMapPiecewiseComponent,
} from "echarts/components";
import { init, use } from "echarts/core";
import { CanvasRenderer } from "echarts/renderers";

// The canvas renderer, since the SVG renderer needs inline styles, which the
// page's Content-Security-Policy forbids.
use([
  AriaComponent,
  BarChart,
  BoxplotChart,
  CanvasRenderer,
  CustomChart,
  DataZoomInsideComponent,
  GridComponent,
  HeatmapChart,
  LineChart,
  MarkLineComponent,
  TooltipComponent,
  VisualMapPiecewiseComponent,
]);

export { init };
export type { ECharts } from "echarts/core";
export type { CustomSeriesRenderItem, EChartsOption, SeriesOption } from "echarts";
