// Package house holds the plan of the house, and the test that compares it with
// what is built: which package may import which, and that each says what it is
// for. It has no code of its own.
package house
