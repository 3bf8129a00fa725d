package datacmd

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"padron/internal/dataset"
)

func TestCheckRows(t *testing.T) {
	spec, err := dataset.Open("sf-business")
	require.NoError(t, err)
	var live []dataset.Column
	for _, f := range spec.Fields {
		types := map[dataset.Type]string{dataset.Text: "text", dataset.Marker: "text", dataset.Number: "text", dataset.Date: "calendar_date", dataset.Bool: "checkbox", dataset.Point: "point"}
		for _, column := range f.From {
			switch column {
			case "location_end_date", "business_corridor":
			case "ttxid", "parking_tax":
				live = append(live, dataset.Column{Name: column, Type: "number"})
			default:
				live = append(live, dataset.Column{Name: column, Type: types[f.Type]})
			}
		}
	}
	live = append(live, dataset.Column{Name: "mood", Type: "text"})
	var out strings.Builder
	var lines []string
	for _, row := range checkRows(spec.Check(live)) {
		out.Reset()
		for _, cell := range row {
			out.WriteString(cell.(string) + "|")
		}
		lines = append(lines, out.String())
	}
	require.Equal(t, []string{
		"location_end_date|gone|dates.location_end_date|stops: required|",
		"ttxid|number, expected text, html, url, email or phone|location_id|stops: required|",
		"parking_tax|number, expected checkbox|taxes.parking_tax|keeps what it can read|",
		"business_corridor|gone|corridor|leaves the field empty|",
		"mood|new, text||counts it, does not store it|",
	}, lines)
}
