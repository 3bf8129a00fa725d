package backfill

import (
	"fmt"
	"strings"

	"padron/internal/dataset"
	"padron/internal/socrata"
)

// DateColumns are the columns of the portal that say in which windows a row
// belongs.
type DateColumns struct {
	// Start is the column itself, or that of the row's start.
	Start string `json:"start"`
	// Ends are the columns of the row's end: the first that has a value is it.
	Ends []string `json:"ends,omitempty"`
	// Fixed says that the column holds points in time, such as :updated_at,
	// and not wall dates.
	Fixed bool `json:"fixed,omitempty"`
}

// Socrata's types of dates.
const (
	calendarDate   = "calendar_date"
	fixedTimestamp = "fixed_timestamp"
)

// systemDates are the date columns that every dataset has and none lists.
func systemDates() []string { return []string{":updated_at", ":created_at"} }

// ColumnsOn finds the columns of a backfill on the lifecycle, or on a column of
// the portal, among the portal's columns.
func ColumnsOn(on string, spec *dataset.Spec, live []dataset.Column) (DateColumns, error) {
	typeOf := map[string]string{}
	for _, name := range systemDates() {
		typeOf[name] = fixedTimestamp
	}
	var dates []string
	for _, c := range live {
		if c.ListedOnly {
			continue
		}
		typeOf[c.Name] = c.Type
		if c.Type == calendarDate {
			dates = append(dates, c.Name)
		}
	}
	if on != OnLifecycle {
		switch typeOf[on] {
		case calendarDate:
			return DateColumns{Start: on}, nil
		case fixedTimestamp:
			return DateColumns{Start: on, Fixed: true}, nil
		case "":
			return DateColumns{}, fmt.Errorf("the portal has no column %q: use %s, or one of its dates: %s", on, OnLifecycle, strings.Join(append(dates, systemDates()...), ", "))
		}
		return DateColumns{}, fmt.Errorf("the column %s is of type %s: use %s, or one of the portal's dates: %s", on, typeOf[on], OnLifecycle, strings.Join(append(dates, systemDates()...), ", "))
	}
	column := func(path string) (string, error) {
		field, _ := spec.Field(path)
		for _, name := range field.From {
			if typeOf[name] == calendarDate {
				return name, nil
			}
		}
		return "", fmt.Errorf("the portal keeps no dates in %s, which the lifecycle needs: use --on with one of its dates: %s", strings.Join(field.From, ", "), strings.Join(dates, ", "))
	}
	start, err := column(spec.Lifecycle.Start)
	if err != nil {
		return DateColumns{}, err
	}
	columns := DateColumns{Start: start}
	for _, end := range spec.Lifecycle.End {
		name, err := column(end.Path)
		if err != nil {
			return DateColumns{}, err
		}
		columns.Ends = append(columns.Ends, name)
	}
	return columns, nil
}

// All are the columns, for people.
func (c DateColumns) All() []string { return append([]string{c.Start}, c.Ends...) }

// Where is the SoQL condition for the rows that belong to a window.
func (c DateColumns) Where(w Window) string {
	zone := ""
	if c.Fixed {
		zone = "Z" // days of UTC: the portal stores these in it
	}
	within := func(column string) string {
		column = socrata.Name(column)
		return fmt.Sprintf("%s >= '%sT00:00:00%s' and %s < '%sT00:00:00%s'", column, w.Since, zone, column, w.Until, zone)
	}
	if len(c.Ends) == 0 {
		return within(c.Start)
	}
	all := []string{"(" + within(c.Start) + ")"}
	for i, end := range c.Ends {
		all = append(all, "("+strings.Join(append([]string{within(end)}, nulls(c.Ends[:i])...), " and ")+")")
	}
	return strings.Join(all, " or ")
}

// Undated is the SoQL condition for the rows that belong to no window ever.
func (c DateColumns) Undated() string { return strings.Join(nulls(c.All()), " and ") }

// From is the SoQL condition for the rows that have a date on a day or later.
func (c DateColumns) From(day Day) string {
	return c.Where(Window{Since: day, Until: endOfTime})
}

// endOfTime is a day after all others that a portal may hold.
const endOfTime Day = "9999-12-31"

// nulls are conditions that columns have no value.
func nulls(columns []string) []string {
	all := make([]string, len(columns))
	for i, c := range columns {
		all[i] = socrata.Name(c) + " is null"
	}
	return all
}
