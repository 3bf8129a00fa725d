package soql

import (
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"padron/internal/portalsim/store"
)

// Query is a request's parameters, parsed.
type Query struct {
	items  []selectItem // nil means *
	where  node         // nil means all rows
	group  []node
	order  []orderItem
	limit  int
	offset int
	system bool // whole rows have the system columns as well
}

// selectItem is one item of $select: all columns, all system columns, or an
// expression.
type selectItem struct {
	star, systemStar bool
	expr             node
	alias            string
}

// orderItem is one item of $order. Unless the query says otherwise, nulls come
// last in ascending order and first in descending order.
type orderItem struct {
	expr      node
	desc      bool
	nullFirst bool
}

// Parse reads the parameters of a request for rows. A name without $ is a
// filter on the column of that name; names with $$ concern the request.
// A larger $limit than maxLimit is cut. The error is an *Error.
func Parse(params url.Values, defaultLimit, maxLimit int) (*Query, error) {
	q := &Query{limit: defaultLimit}
	for _, name := range slices.Sorted(maps.Keys(params)) {
		values := params[name]
		text := values[len(values)-1]
		var err error
		switch name {
		case "$select":
			q.items, err = parseWith(name, text, (*parser).selectList)
		case "$where":
			var where node
			if where, err = parseWith(name, text, (*parser).expression); err == nil {
				q.and(where)
			}
		case "$group":
			q.group, err = parseWith(name, text, (*parser).expressionList)
		case "$order":
			q.order, err = parseWith(name, text, (*parser).orderList)
		case "$limit":
			q.limit, err = parseCount(name, text)
			q.limit = min(q.limit, maxLimit)
		case "$offset":
			q.offset, err = parseCount(name, text)
		case "$$exclude_system_fields":
			q.system = text == "false"
		case "$$app_token":
		default:
			if strings.HasPrefix(name, "$") {
				return nil, errorf(CodeUnrecognized, "Unrecognized arguments [%s]", name)
			}
			q.and(compareNode{op: "=", left: columnNode{strings.ToLower(name)}, right: literalNode{kind: store.KindText, text: text}})
		}
		if err != nil {
			return nil, err
		}
	}
	return q, nil
}

// and narrows the query by a further condition.
func (q *Query) and(n node) {
	if q.where != nil {
		n = logicNode{op: "and", left: q.where, right: n}
	}
	q.where = n
}

func parseCount(name, text string) (int, error) {
	n, err := strconv.Atoi(strings.TrimSpace(text))
	if err != nil || n < 0 {
		return 0, errorf(CodeMalformed, "Invalid %s: %q is no natural number", name, text)
	}
	return n, nil
}
