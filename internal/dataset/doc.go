// Package dataset holds the specs of datasets: what a register on a Socrata portal
// looks like, and what becomes of each of its columns. A spec is a YAML file that is
// checked when it is read; another city is another file. The package never asks a
// portal and never touches a row. Every package may import it.
package dataset
