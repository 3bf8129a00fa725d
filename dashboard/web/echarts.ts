// The parts of ECharts that the charts need, and no others: it is most of what the bundle weighs.

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

// The canvas needs no inline styles, which the page's policy forbids, as the SVG renderer does.
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
