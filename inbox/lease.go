package inbox

// writing says what is known of other processes that may write to a file.
type writing uint8

const (
	unknown writing = iota // nobody can say: wait longer
	idle                   // no process has it open for writing
	busy                   // some process has
)
