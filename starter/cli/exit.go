package cli

import "strings"

// Exit codes.
const (
	ExitFailed   = 1 // something went wrong; nothing was left half done
	exitUsage    = 2 // the command line or the configuration is wrong
	exitNotGreen = 3 // the run finished, but the mirror is not proven equal to the portal
)

// CodedError is an error with an exit code of its own.
type CodedError struct {
	error
	Code int
}

func (e *CodedError) Unwrap() error { return e.error }

// Usage marks an error as one of the command line or the configuration; nil for
// nil.
func Usage(err error) error {
	if err == nil {
		return nil
	}
	return &CodedError{err, exitUsage}
}

// NotGreen marks an error as that of a run which finished, but not green.
func NotGreen(err error) error { return &CodedError{err, exitNotGreen} }

// OneLine is the text of an error on one line.
func OneLine(err error) string { return strings.Join(strings.Fields(err.Error()), " ") }
