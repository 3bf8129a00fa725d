package mongodb

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strings"

	"go.mongodb.org/mongo-driver/v2/mongo"
)

// Kind says what went wrong with the database, in words that name no host and
// no value: the driver's own texts have both. It is empty for an error that is
// none of the database's.
func Kind(err error) string {
	driver := driverError(err)
	server, answered := errors.AsType[mongo.ServerError](driver)
	switch {
	case errors.Is(err, ErrAddress):
		return ErrAddress.Error()
	case errors.Is(err, ErrUnreachable):
		return ErrUnreachable.Error()
	case driver == nil:
		return ""
	case answered && server.HasErrorCode(authenticationFailed):
		return "MongoDB refuses the user or its password"
	case answered && server.HasErrorCode(unauthorized):
		return "MongoDB does not allow this to the user"
	case answered && server.HasErrorCode(DuplicateKey):
		return "MongoDB has a document with that key already"
	case mongo.IsTimeout(driver):
		return "MongoDB did not answer in time"
	case IsDown(driver):
		return ErrUnreachable.Error()
	case answered:
		return "MongoDB answered with an error" + code(driver)
	default:
		return "MongoDB's driver could not do it"
	}
}

// Told is the text of an error, with the kind in place of what the driver says.
func Told(err error) string {
	kind := Kind(err)
	if kind == "" {
		return err.Error()
	}
	if driver := driverError(err); driver != nil && !errors.Is(err, ErrAddress) && !errors.Is(err, ErrUnreachable) {
		if before, _, ok := strings.Cut(err.Error(), driver.Error()); ok {
			return before + kind
		}
	}
	return kind
}

// unauthorized is MongoDB's error code for what a user may not do.
const unauthorized = 13

// code is the server's code of an error, with its name.
func code(err error) string {
	name := regexp.MustCompile(`^\w+$`)
	switch e := err.(type) { //nolint:errorlint // it is the driver's own error
	case mongo.CommandError:
		if name.MatchString(e.Name) {
			return fmt.Sprintf(" (%d %s)", e.Code, e.Name)
		}
		return fmt.Sprintf(" (%d)", e.Code)
	case mongo.WriteException:
		for _, w := range e.WriteErrors {
			return fmt.Sprintf(" (%d)", w.Code)
		}
	case mongo.BulkWriteException:
		for _, w := range e.WriteErrors {
			return fmt.Sprintf(" (%d)", w.Code)
		}
	}
	return ""
}

// driverError is the outermost error of the driver's own types in a chain, nil
// when there is none.
func driverError(err error) error {
	if err == nil {
		return nil
	}
	of := reflect.TypeOf(err)
	if of.Kind() == reflect.Pointer {
		of = of.Elem()
	}
	if strings.HasPrefix(of.PkgPath(), "go.mongodb.org/mongo-driver") {
		return err
	}
	switch e := err.(type) { //nolint:errorlint // each link of the chain is looked at
	case interface{ Unwrap() error }:
		return driverError(e.Unwrap())
	case interface{ Unwrap() []error }:
		for _, one := range e.Unwrap() {
			if found := driverError(one); found != nil {
				return found
			}
		}
	}
	return nil
}
