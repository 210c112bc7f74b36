// What a dashboard's JSON has to be: Grafana's types, with the options of each kind of panel, and nothing besides.
import type { Dashboard, FieldConfig, FieldConfigSource, Panel, RowPanel } from "@grafana/schema";
import type * as barchart from "@grafana/schema/dist/esm/raw/composable/barchart/panelcfg/x/BarChartPanelCfg_types.gen";
import type * as bargauge from "@grafana/schema/dist/esm/raw/composable/bargauge/panelcfg/x/BarGaugePanelCfg_types.gen";
import type * as heatmap from "@grafana/schema/dist/esm/raw/composable/heatmap/panelcfg/x/HeatmapPanelCfg_types.gen";
import type * as stat from "@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen";
import type * as table from "@grafana/schema/dist/esm/raw/composable/table/panelcfg/x/TablePanelCfg_types.gen";
import type * as text from "@grafana/schema/dist/esm/raw/composable/text/panelcfg/x/TextPanelCfg_types.gen";
import type * as timeseries from "@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen";

// In JSON an enum is its value.
type Plain<T> = T extends string
  ? `${T}`
  : T extends number
    ? `${T}` extends `${infer Value extends number}`
      ? Value
      : never
    : T extends Array<infer Item>
      ? Plain<Item>[]
      : T extends object
        ? { [Key in keyof T]: Plain<T[Key]> }
        : T;

type Source = { type: "prometheus"; uid: "${datasource}" };

// Prometheus's data source has its types elsewhere; these are the settings of its queries that are used.
type Query = {
  refId: string;
  expr: string;
  legendFormat: string;
  format?: "time_series" | "table" | "heatmap";
  instant?: boolean;
  range?: boolean;
};

type Shown<Name extends string, Options, Custom> = Plain<
  Omit<Panel, "type" | "options" | "fieldConfig" | "targets" | "datasource">
> & {
  type: Name;
  title: string;
  description: string;
  datasource: Source;
  options: Plain<Partial<Options>>;
  targets: Query[];
  fieldConfig: Plain<Omit<FieldConfigSource, "defaults">> & {
    defaults: Plain<Omit<FieldConfig, "custom">> & { unit: string; custom?: Plain<Partial<Custom>> };
  };
};

type Written = Plain<Omit<Panel, "type" | "options" | "targets">> & {
  type: "text";
  options: Plain<text.Options>;
};

type Row = Plain<Omit<RowPanel, "panels" | "type">> & { type: "row"; panels: never[] };

type Rollout = {
  name: string;
  datasource: Source;
  enable: boolean;
  hide: boolean;
  builtIn: 0;
  iconColor: string;
  expr: string;
  titleFormat: string;
  step: string;
};

export type Checked = Plain<Omit<Dashboard, "panels" | "annotations">> & {
  annotations: { list: Rollout[] };
  panels: (
    | Shown<"stat", stat.Options, never>
    | Shown<"timeseries", timeseries.Options, timeseries.FieldConfig>
    | Shown<"bargauge", bargauge.Options, never>
    | Shown<"barchart", barchart.Options, barchart.FieldConfig>
    | Shown<"heatmap", heatmap.Options, heatmap.FieldConfig>
    | Shown<"table", table.Options, table.FieldConfig>
    | Written
    | Row
  )[];
};
