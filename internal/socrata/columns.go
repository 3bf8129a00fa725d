package socrata

import (
	"context"
	"errors"
	"slices"
)

// UnknownColumns asks for one row with these columns and returns those that the
// portal says it does not have, in the given order. Metadata can list columns that
// are hidden or half deleted, and one of them makes every query that names it fail.
// It takes one request, and one more for each unknown column.
func (c *Client) UnknownColumns(ctx context.Context, columns []string) ([]string, error) {
	var unknown []string
	for left := slices.Clone(columns); len(left) > 0; {
		err := c.askRow(ctx, left)
		denied, ok := errors.AsType[*Error](err)
		if !ok || denied.Column == "" || !slices.Contains(left, denied.Column) {
			if err != nil {
				return nil, err
			}
			break
		}
		unknown = append(unknown, denied.Column)
		left = slices.DeleteFunc(left, func(column string) bool { return column == denied.Column })
	}
	slices.SortStableFunc(unknown, func(a, b string) int { return slices.Index(columns, a) - slices.Index(columns, b) })
	return unknown, nil
}

// askRow asks for one row with these columns. What is in it does not matter.
func (c *Client) askRow(ctx context.Context, columns []string) error {
	a, err := c.get(ctx, "its columns", query{columns: names(columns), limit: 1}.soda2(c.id))
	if err != nil {
		return err
	}
	defer a.Close()
	_, err = a.readSmall(maxRowBytes)
	return err
}
