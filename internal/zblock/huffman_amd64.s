#include "textflag.h"

// CODE puts the code of the byte that r holds in front of those in X, which
// has N bits. Of a code the low half is its length; a shift looks at the low six
// bits alone.
#define CODE(r, X, N) \
	MOVL  (R9)(r*4), CX  \
	MOVL  CX, DX         \
	SHRL  $16, DX        \
	SHLXQ N, DX, DX      \
	ORQ   DX, X          \
	ADDL  CX, N

// func foursBMI2(buf *byte, codes *[256]code, lits *byte, count int, at uint, acc uint64, n uint) (at2 uint, acc2 uint64, n2 uint)
TEXT ·foursBMI2(SB), NOSPLIT, $0-80
	MOVQ buf+0(FP), DI
	MOVQ codes+8(FP), R9
	MOVQ lits+16(FP), R8
	MOVQ count+24(FP), SI
	ADDQ R8, SI
	ADDQ at+32(FP), DI
	MOVQ acc+40(FP), AX
	MOVQ n+48(FP), BX

	// Below 8 bits wait in AX; four codes are 44 at most.
next:
	SUBQ    $4, SI
	MOVL    (SI), R10
	MOVL    R10, R11
	SHRL    $24, R11
	CODE(R11, AX, BX)
	MOVL    R10, R11
	SHRL    $16, R11
	MOVBLZX R11, R11
	CODE(R11, AX, BX)
	MOVL    R10, R11
	SHRL    $8, R11
	MOVBLZX R11, R11
	CODE(R11, AX, BX)
	MOVBLZX R10, R10
	CODE(R10, AX, BX)
	MOVBLZX BX, BX
	MOVQ    AX, (DI)
	MOVL    BX, CX
	SHRL    $3, CX
	ADDQ    CX, DI
	SHLL    $3, CX
	SHRXQ   CX, AX, AX
	ANDL    $7, BX
	CMPQ    SI, R8
	JA      next

	SUBQ buf+0(FP), DI
	MOVQ DI, at2+56(FP)
	MOVQ AX, acc2+64(FP)
	MOVQ BX, n2+72(FP)
	RET
