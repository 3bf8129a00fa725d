package chart

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"padron/internal/dataset"
	"padron/internal/export"
)

// WriteCSV writes the table with the keys of its columns as the first line.
// What is unknown is empty. Text is harmless
// to spreadsheets.
func (t *Table) WriteCSV() ([]byte, error) {
	var b bytes.Buffer
	w := export.NewCSVWriter(&b)
	line := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		line[i] = c.Key
	}
	if err := w.Write(line); err != nil {
		return nil, err
	}
	for _, row := range t.Rows {
		for i, cell := range row {
			line[i] = CSVValue(cell.Value)
			if id, ok := cell.Value.(string); ok && t.Columns[i].Key == "cell" {
				line[i] = id // the name of a map cell, which may begin with a minus
			}
		}
		if err := w.Write(line); err != nil {
			return nil, err
		}
	}
	err := w.Flush()
	return b.Bytes(), err
}

// CSVValue is a value as CSV has it.
func CSVValue(v any) string {
	switch v := v.(type) {
	case nil:
		return ""
	case string:
		return export.Harmless(v)
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case json.RawMessage:
		return export.Harmless(string(v))
	default:
		return fmt.Sprint(v)
	}
}

// Numbers are the numbers of a chart with all that a reader must know of them,
// as programs get them in JSON.
type Numbers struct {
	Title       string           `json:"title"`
	Dataset     string           `json:"dataset"`
	AsOf        string           `json:"as_of"`
	Basis       string           `json:"basis"`
	Snapshot    string           `json:"snapshot"`
	Run         string           `json:"run"`
	Outcome     string           `json:"outcome"`
	Notes       []string         `json:"notes"`
	Breaks      []map[string]any `json:"breaks"`
	License     string           `json:"license"`
	Attribution string           `json:"attribution"`
	Columns     []NumbersColumn  `json:"columns"`
	Rows        []map[string]any `json:"rows"` // by the names of the columns
}

// NumbersColumn is a column: its name in the rows, and its title for people.
type NumbersColumn struct {
	Name  string `json:"name"`
	Title string `json:"title"`
}

// Numbers are the numbers of the chart.
func (f *Figure) Numbers(spec *dataset.Spec) *Numbers {
	n := &Numbers{
		Title: f.Title, Dataset: spec.Title, AsOf: f.Source.AsOf.UTC().Format(time.DateOnly), Basis: string(f.Source.Basis),
		Snapshot: f.Source.Snapshot, Run: f.Source.Run, Outcome: string(f.Source.Outcome), Notes: f.Notes,
		License: spec.License, Attribution: spec.Attribution, Breaks: []map[string]any{}, Rows: []map[string]any{},
	}
	for _, b := range spec.Breaks {
		n.Breaks = append(n.Breaks, map[string]any{"date": b.Date, "name": b.Name, "kind": b.Kind, "note": b.Note})
	}
	for _, c := range f.Table.Columns {
		n.Columns = append(n.Columns, NumbersColumn{c.Key, c.Title})
	}
	for _, row := range f.Table.Rows {
		values := make(map[string]any, len(row))
		for i, cell := range row {
			values[f.Table.Columns[i].Key] = cell.Value
		}
		n.Rows = append(n.Rows, values)
	}
	return n
}
