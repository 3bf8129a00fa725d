package soql

import "fmt"

// The codes of refused queries, as the real portal names them.
const (
	CodeMalformed        = "query.compiler.malformed"
	CodeNoSuchColumn     = "query.soql.no-such-column"
	CodeNoSuchFunction   = "query.soql.no-such-function"
	CodeTypeMismatch     = "query.soql.type-mismatch"
	CodeNotGrouped       = "query.soql.column-not-in-group-bys"
	CodeAggregateInWhere = "query.soql.aggregate-in-ungrouped-context"
	CodeDuplicateAlias   = "query.soql.duplicate-alias"
	CodeUnrecognized     = "query.soql.unrecognized-argument"
)

// Error says why a query is refused. It is the only error of Parse and Plan.
type Error struct {
	Code    string
	Message string
	Data    map[string]any // further fields of the portal's error; may be nil
}

// Error returns the code and the message as the portal joins them.
func (e *Error) Error() string { return e.Code + "; " + e.Message }

func errorf(code, format string, args ...any) *Error {
	return &Error{Code: code, Message: fmt.Sprintf(format, args...)}
}
