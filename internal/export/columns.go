package export

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"

	"padron/internal/dataset"
)

// Column is a value of the document as a column of a table, named by its path.
type Column struct {
	Path string
	Kind dataset.Kind
	// Coordinate is 1 for the longitude and 2 for the latitude of the point at
	// Path without its last name; 0 for any other value.
	Coordinate int
	// Own says that Padron computes the text, so that it cannot be a formula
	// that somebody registered.
	Own bool
}

// Columns returns the columns of a dataset's documents, sensitive ones only
// where sensitive is true. What is of no use in a table is left out: the
// originals, which have no fixed names, search tokens, copies and hashes.
func Columns(spec *dataset.Spec, sensitive bool) []Column {
	var columns []Column
	for _, e := range spec.Dictionary() {
		f, isField := spec.Field(e.Path)
		switch {
		case e.Sensitive && !sensitive, isField && f.Copy != "":
		case e.Kind == dataset.KindObject, e.Kind == dataset.KindBinary, e.Path == "facets.tokens":
		case e.Kind == dataset.KindPoint:
			columns = append(columns,
				Column{Path: e.Path + ".longitude", Kind: dataset.KindNumber, Coordinate: 1},
				Column{Path: e.Path + ".latitude", Kind: dataset.KindNumber, Coordinate: 2})
		default:
			// Cells of the map west of their origin begin with a minus.
			columns = append(columns, Column{Path: e.Path, Kind: e.Kind, Own: e.Path == "facets.cell"})
		}
	}
	return columns
}

// EventColumns returns the columns of change events. The column fields is JSON.
func EventColumns() []Column {
	return []Column{
		{Path: "key", Kind: dataset.KindString},
		{Path: "version", Kind: dataset.KindInteger},
		{Path: "at", Kind: dataset.KindTime},
		{Path: "kinds", Kind: dataset.KindStrings},
		{Path: "cause", Kind: dataset.KindString},
		{Path: "run", Kind: dataset.KindString},
		{Path: "fields", Kind: dataset.KindObject},
	}
}

// CountColumns returns the columns of the counts of snapshots: a row for each
// snapshot and value of a dimension, and one with the dimension "all" for all
// rows of the snapshot.
func CountColumns() []Column {
	return []Column{
		{Path: "snapshot", Kind: dataset.KindString},
		{Path: "as_of", Kind: dataset.KindDate},
		{Path: "basis", Kind: dataset.KindString},
		{Path: "outcome", Kind: dataset.KindString},
		{Path: "run", Kind: dataset.KindString},
		{Path: "provisional", Kind: dataset.KindBool},
		{Path: "survivors_only", Kind: dataset.KindBool},
		{Path: "dimension", Kind: dataset.KindString},
		{Path: "name", Kind: dataset.KindString}, // absent: of rows without a value, or of all rows
		{Path: "rows", Kind: dataset.KindInteger},
		{Path: "open", Kind: dataset.KindInteger},
		{Path: "closed", Kind: dataset.KindInteger},
		{Path: "administratively_closed", Kind: dataset.KindInteger},
	}
}

// ErrColumn is returned for a column that does not exist or must not be shown.
var ErrColumn = errors.New("no such column")

// Choose returns the columns of these paths, in their order.
//
// Errors: ErrColumn.
func Choose(all []Column, paths []string) ([]Column, error) {
	chosen := make([]Column, 0, len(paths))
	for _, p := range paths {
		i := slices.IndexFunc(all, func(c Column) bool { return c.Path == p })
		if i < 0 {
			return nil, fmt.Errorf("%w: %q", ErrColumn, p)
		}
		chosen = append(chosen, all[i])
	}
	return chosen, nil
}

// lookup returns the value of a column, the zero value when the document lacks
// it.
func (c Column) lookup(doc bson.Raw) bson.RawValue {
	path := strings.Split(c.Path, ".")
	if c.Coordinate > 0 {
		v := doc.Lookup(append(path[:len(path)-1], "coordinates")...)
		list, ok := v.ArrayOK()
		if !ok {
			return bson.RawValue{}
		}
		at, err := list.IndexErr(uint(c.Coordinate - 1))
		if err != nil {
			return bson.RawValue{}
		}
		return at
	}
	return doc.Lookup(path...)
}
