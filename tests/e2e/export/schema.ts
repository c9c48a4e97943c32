// SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
// A dashboard as JSON: Grafana's own types, with string enums as plain strings, and the options of each
// kind of panel that is used as that panel's plugin declares them.
import type { Dashboard, DataSourceRef, Panel, RowPanel } from "@grafana/schema";
import type { Options as Heatmap } from "@grafana/schema/dist/esm/raw/composable/heatmap/panelcfg/x/HeatmapPanelCfg_types.gen";
import type { Options as Stat } from "@grafana/schema/dist/esm/raw/composable/stat/panelcfg/x/StatPanelCfg_types.gen";
import type { Options as Table } from "@grafana/schema/dist/esm/raw/composable/table/panelcfg/x/TablePanelCfg_types.gen";
import type { Options as TimeSeries } from "@grafana/schema/dist/esm/raw/composable/timeseries/panelcfg/x/TimeSeriesPanelCfg_types.gen";
import type { GraphFieldConfig } from "@grafana/schema";

type Json<T> = T extends string
	? `${T}`
	: T extends number | boolean | null | undefined
	? T
	: T extends (infer U)[]
	? Json<U>[]
	: unknown extends T
	? unknown
	: { [K in keyof T]: Json<T[K]> };

type Of<Type extends string, Options, Custom = unknown> = Omit<Json<Panel>, "type" | "options" | "targets"> & {
	type: Type;
	options: Json<Partial<Options>>;
	fieldConfig: { defaults: { custom?: Json<Custom> } };
	targets: {
		refId: string;
		datasource: DataSourceRef;
		expr: string;
		legendFormat: string;
		editorMode: "code";
		range?: boolean;
		instant?: boolean;
		exemplar?: boolean;
		format?: "table" | "heatmap" | "time_series";
	}[];
};

type KnownPanel =
	| Json<RowPanel>
	| Of<"stat", Stat>
	| Of<"table", Table>
	| Of<"heatmap", Heatmap>
	| Of<"timeseries", TimeSeries, GraphFieldConfig>;

export type Known = Omit<Json<Dashboard>, "panels"> & { panels: KnownPanel[] };
