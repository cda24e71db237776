// Holds boards against Grafana's own schema: unknown fields, missing ones, wrong types and values.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	"github.com/grafana/grafana-foundation-sdk/go/candlestick"
	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
	"github.com/grafana/grafana-foundation-sdk/go/prometheus"
	"github.com/grafana/grafana-foundation-sdk/go/stat"
	"github.com/grafana/grafana-foundation-sdk/go/table"
	"github.com/grafana/grafana-foundation-sdk/go/timeseries"
)

func main() {
	runtime := cog.NewRuntime()
	runtime.RegisterPanelcfgVariant(candlestick.VariantConfig())
	runtime.RegisterPanelcfgVariant(stat.VariantConfig())
	runtime.RegisterPanelcfgVariant(table.VariantConfig())
	runtime.RegisterPanelcfgVariant(timeseries.VariantConfig())
	runtime.RegisterDataqueryVariant(prometheus.VariantConfig())
	status := 0
	for _, path := range os.Args[1:] {
		if err := check(path); err != nil {
			fmt.Printf("%s: %v\n", path, err)
			status = 1
		}
	}
	os.Exit(status)
}

func check(path string) error {
	raw, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	board := dashboard.Dashboard{}
	if err := faults(board.UnmarshalJSONStrict(raw)); err != nil {
		return err
	}
	if err := faults(board.Validate()); err != nil {
		return err
	}
	return checkFields(raw)
}

// The board's own reading is not strict about what panels say of their fields.
func checkFields(raw []byte) error {
	var board struct {
		Panels []struct {
			Title       string
			FieldConfig json.RawMessage
		}
	}
	if err := json.Unmarshal(raw, &board); err != nil {
		return err
	}
	for _, panel := range board.Panels {
		fields := dashboard.FieldConfigSource{}
		if err := faults(fields.UnmarshalJSONStrict(panel.FieldConfig)); err != nil {
			return fmt.Errorf("%s: %w", panel.Title, err)
		}
	}
	return nil
}

// The library's "no faults" is an empty list of them, which is not nil.
func faults(err error) error {
	if found, is := err.(cog.BuildErrors); is && len(found) == 0 {
		return nil
	}
	return err
}
