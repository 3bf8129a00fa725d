package mirror

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/x/bsonx/bsoncore"

	"padron/internal/mongodb"
)

// write sends a command. Unless every row was written, it is an error.
func (m *Mirror) write(ctx context.Context, c *command) error {
	doc, err := c.end()
	if err != nil {
		return err
	}
	answer, err := m.db.Command(ctx, doc)
	if err != nil {
		return writeFault(c, err)
	}
	if n, ok := answer.Lookup("n").AsInt64OK(); !ok || n != int64(c.rows) {
		return fmt.Errorf("%s of %d rows: %w: %d matched", c.verb, c.rows, mongodb.ErrConflict, n)
	}
	return nil
}

// writeFault is mongodb.ErrConflict for a key that exists already: another
// writer inserted it, or an earlier attempt of which no answer came. The
// server's message quotes the key.
func writeFault(c *command, err error) error {
	var server mongo.ServerError
	if errors.As(err, &server) && server.HasErrorCode(mongodb.DuplicateKey) {
		return fmt.Errorf("%s of %d rows: %w: %w", c.verb, c.rows, mongodb.ErrConflict, err)
	}
	return fmt.Errorf("%s of %d rows: %w", c.verb, c.rows, err)
}

// command is a write command being built in place, its buffer used again.
type command struct {
	verb  string
	buf   []byte
	array int32 // where the array of rows starts
	rows  int
}

func (c *command) start(verb, collection, rowsField string) {
	c.verb, c.rows = verb, 0
	_, b := bsoncore.AppendDocumentStart(c.buf[:0])
	b = bsoncore.AppendStringElement(b, verb, collection)
	b = bsoncore.AppendBooleanElement(b, "ordered", false)
	// RunCommand does not add the client's write concern.
	concern, b := bsoncore.AppendDocumentElementStart(b, "writeConcern")
	b = bsoncore.AppendStringElement(b, "w", "majority")
	// Cannot fail: the index is from two lines above.
	b, _ = bsoncore.AppendDocumentEnd(b, concern)
	c.array, c.buf = bsoncore.AppendArrayElementStart(b, rowsField)
}

// add appends one row, which element appends as a document. After an error
// the command is as before.
func (c *command) add(element func(dst []byte) ([]byte, error)) error {
	before := len(c.buf)
	b := append(c.buf, byte(bsoncore.TypeEmbeddedDocument))
	b = strconv.AppendInt(b, int64(c.rows), 10)
	b = append(b, 0)
	b, err := element(b)
	if err != nil {
		c.buf = b[:before]
		return err
	}
	c.buf = b
	c.rows++
	return nil
}

func (c *command) end() (bson.Raw, error) {
	b, err := bsoncore.AppendArrayEnd(c.buf, c.array)
	if err != nil {
		return nil, err
	}
	b, err = bsoncore.AppendDocumentEnd(b, 0)
	c.buf = b
	return bson.Raw(b), err
}
