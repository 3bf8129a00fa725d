package soql

import "padron/internal/portalsim/store"

// node is an expression as it was written.
type node interface{ isNode() }

type (
	columnNode  struct{ name string }
	literalNode struct {
		kind store.Kind // text, number or checkbox
		text string
		null bool
	}
	callNode struct {
		name     string // in lower case
		star     bool   // count(*)
		distinct bool   // count(distinct x)
		args     []node
	}
	compareNode struct {
		op          string // = <> < <= > >=
		left, right node
	}
	nullNode struct { // x is [not] null
		operand node
		not     bool
	}
	inNode struct {
		operand node
		list    []node
		not     bool
	}
	likeNode struct {
		operand, pattern node
		not              bool
	}
	logicNode struct {
		op          string // and, or
		left, right node
	}
	notNode struct{ operand node }
)

func (columnNode) isNode()  {}
func (literalNode) isNode() {}
func (callNode) isNode()    {}
func (compareNode) isNode() {}
func (nullNode) isNode()    {}
func (inNode) isNode()      {}
func (likeNode) isNode()    {}
func (logicNode) isNode()   {}
func (notNode) isNode()     {}
