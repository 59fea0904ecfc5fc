#include "go_asm.h"
#include "textflag.h"

// What holds between two sequences:
//
//	SI         the sequence coded last
//	DI         where the next bytes go
//	AX, BX     bits that are not there yet, and how many: below 8
//	R8, R11    state and table of runs of literals
//	R9, R12    of offsets
//	R10, R13   of lengths of matches
//
// and within one:
//
//	R14, R15   the bits that follow its codes, and how many

// STEP codes the symbol DX in a state: its bits go to AX.
#define STEP(state, tab) \
	MOVL    table_symbols+transition_bits(tab)(DX*8), CX \
	ADDL    state, CX                                    \
	SHRL    $16, CX                                      \
	BZHIQ   CX, state, BP                                \
	SHRXL   CX, state, state                             \
	ADDL    table_symbols+transition_next(tab)(DX*8), state \
	MOVWLZX table_state(tab)(state*2), state             \
	SHLXQ   BX, BP, BP                                   \
	ORQ     BP, AX                                       \
	ADDQ    CX, BX

// EXTRA takes the value that DX has coded in front of what follows the codes,
// and leaves its code in DX. A shift looks at the low six bits of CX alone.
#define EXTRA \
	MOVL    DX, CX       \
	SHRL    $8, CX       \
	SHLXQ   CX, R14, R14 \
	SHRL    $8, CX       \
	ORQ     CX, R14      \
	MOVBLZX DH, CX       \
	ADDL    CX, R15      \
	MOVBLZX DL, DX

// PUT moves whole bytes to the buffer.
#define PUT \
	MOVQ  AX, (DI)   \
	MOVL  BX, CX     \
	SHRL  $3, CX     \
	ADDQ  CX, DI     \
	SHLL  $3, CX     \
	SHRXQ CX, AX, AX \
	ANDL  $7, BX

// LARGE codes a value of DX that is in no table. Its code is that many above the
// number of the highest bit, which is how many bits follow.
#define LARGE(above) \
	BSRL DX, CX        \
	BTCL CX, DX        \
	SHLL $8, DX        \
	ORL  CX, DX        \
	SHLL $8, DX        \
	LEAL above(CX), CX \
	ORL  CX, DX

// func codeBMI2(buf *byte, seqs *sequence, n int, ll, of, ml *table, s *flow)
TEXT ·codeBMI2(SB), NOSPLIT, $8-56
	MOVQ s+48(FP), DX
	MOVQ buf+0(FP), DI
	ADDQ flow_at(DX), DI
	MOVQ flow_acc(DX), AX
	MOVQ flow_n(DX), BX
	MOVL flow_ll(DX), R8
	MOVL flow_of(DX), R9
	MOVL flow_ml(DX), R10
	MOVQ ll+24(FP), R11
	MOVQ of+32(FP), R12
	MOVQ ml+40(FP), R13
	MOVQ n+16(FP), CX
	MOVQ seqs+8(FP), SI
	LEAQ (SI)(CX*sequence__size), SI

next:
	SUBQ  $sequence__size, SI
	MOVL  sequence_off(SI), R14
	BSRL  R14, DX
	BZHIQ DX, R14, R14
	MOVL  DX, R15
	STEP(R9, R12)

	MOVWLZX sequence_match(SI), DX
	CMPL    DX, $128
	JAE     match
	LEAQ    ·matchCoded(SB), CX
	MOVL    (CX)(DX*4), DX

matched:
	EXTRA
	STEP(R10, R13)

	MOVWLZX sequence_lit(SI), DX
	CMPL    DX, $64
	JAE     lit
	LEAQ    ·litCoded(SB), CX
	MOVL    (CX)(DX*4), DX

litted:
	EXTRA
	STEP(R8, R11)

	LEAQ (BX)(R15*1), DX
	CMPQ DX, $63
	JA   full

fits:
	SHLXQ BX, R14, R14
	ORQ   R14, AX
	MOVQ  DX, BX
	PUT
	CMPQ  SI, seqs+8(FP)
	JA    next

	MOVQ s+48(FP), DX
	SUBQ buf+0(FP), DI
	MOVQ DI, flow_at(DX)
	MOVQ AX, flow_acc(DX)
	MOVQ BX, flow_n(DX)
	MOVL R8, flow_ll(DX)
	MOVL R9, flow_of(DX)
	MOVL R10, flow_ml(DX)
	RET

match:
	LARGE(36)
	JMP matched

lit:
	LARGE(19)
	JMP litted

full:
	PUT
	LEAQ (BX)(R15*1), DX
	JMP  fits
