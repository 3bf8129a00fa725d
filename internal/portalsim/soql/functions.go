package soql

import (
	"strconv"
	"strings"
	"time"

	"padron/internal/portalsim/store"
)

// compileCall binds a function of texts or dates.
func (p *Plan) compileCall(n callNode) (compiled, error) {
	if isAggregate(n) {
		return compiled{}, errorf(CodeAggregateInWhere, "Aggregate in ungrouped context: %s", n.name)
	}
	if f, ok := textFunction(n.name); ok {
		args, err := p.compileArgs(n.name, n.args, store.KindText)
		return compiled{kind: store.KindText, eval: func(c *cursor) store.Value {
			v := args[0].eval(c)
			v.Text = f(v.Text)
			return v
		}}, err
	}
	if f, ok := textTest(n.name); ok {
		args, err := p.compileArgs(n.name, n.args, store.KindText, store.KindText)
		return condition(func(c *cursor) store.Value {
			a, b := args[0].eval(c), args[1].eval(c)
			if !a.Set || !b.Set {
				return store.Value{}
			}
			return store.BoolValue(f(a.Text, b.Text))
		}), err
	}
	if f, k, ok := dateFunction(n.name); ok {
		args, err := p.compileArgs(n.name, n.args, store.KindCalendarDate)
		return compiled{kind: k, eval: func(c *cursor) store.Value {
			v := args[0].eval(c)
			if !v.Set {
				return store.Value{}
			}
			return f(time.UnixMilli(v.At).UTC())
		}}, err
	}
	err := errorf(CodeNoSuchFunction, "No such function: %s/%d", n.name, len(n.args))
	err.Data = map[string]any{"function": n.name}
	return compiled{}, err
}

// compileArgs binds a function's arguments to the types that it takes.
func (p *Plan) compileArgs(name string, args []node, kinds ...store.Kind) ([]compiled, error) {
	if len(args) != len(kinds) {
		return nil, errorf(CodeNoSuchFunction, "No such function: %s/%d", name, len(args))
	}
	list := make([]compiled, len(args))
	for i, n := range args {
		c, err := p.compile(n)
		if err != nil {
			return nil, err
		}
		if list[i], err = coerce(c, kinds[i], name); err != nil {
			return nil, err
		}
	}
	return list, nil
}

func textFunction(name string) (f func(string) string, ok bool) {
	switch name {
	case "upper":
		return strings.ToUpper, true
	case "lower":
		return strings.ToLower, true
	}
	return nil, false
}

func textTest(name string) (f func(a, b string) bool, ok bool) {
	switch name {
	case "starts_with":
		return strings.HasPrefix, true
	case "contains":
		return strings.Contains, true
	}
	return nil, false
}

func dateFunction(name string) (f func(time.Time) store.Value, k store.Kind, ok bool) {
	truncate := func(f func(time.Time) time.Time) (func(time.Time) store.Value, store.Kind, bool) {
		return func(t time.Time) store.Value { return store.DateValue(f(t)) }, store.KindCalendarDate, true
	}
	extract := func(f func(time.Time) int) (func(time.Time) store.Value, store.Kind, bool) {
		return func(t time.Time) store.Value { return store.NumberValue(strconv.Itoa(f(t))) }, store.KindNumber, true
	}
	switch name {
	case "date_trunc_y":
		return truncate(func(t time.Time) time.Time { return time.Date(t.Year(), 1, 1, 0, 0, 0, 0, time.UTC) })
	case "date_trunc_ym":
		return truncate(func(t time.Time) time.Time { return time.Date(t.Year(), t.Month(), 1, 0, 0, 0, 0, time.UTC) })
	case "date_trunc_ymd":
		return truncate(func(t time.Time) time.Time { return t.Truncate(24 * time.Hour) })
	case "date_extract_y":
		return extract(time.Time.Year)
	case "date_extract_m":
		return extract(func(t time.Time) int { return int(t.Month()) })
	case "date_extract_d":
		return extract(time.Time.Day)
	}
	return nil, 0, false
}

// like matches % to any text and _ to any one character. On a mismatch it goes
// back to the last % and lets that take one character more.
func like(text, pattern string) bool {
	t, p := []rune(text), []rune(pattern)
	i, j, star, mark := 0, 0, -1, 0
	for i < len(t) {
		switch {
		case j < len(p) && p[j] == '%':
			star, mark = j, i
			j++
		case j < len(p) && (p[j] == '_' || p[j] == t[i]):
			i++
			j++
		case star >= 0:
			mark++
			i, j = mark, star+1
		default:
			return false
		}
	}
	for j < len(p) && p[j] == '%' {
		j++
	}
	return j == len(p)
}
