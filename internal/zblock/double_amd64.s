#include "go_asm.h"
#include "textflag.h"
#include "search_amd64.h"

// LONG hashes the eight bytes of r.
#define LONG(r, tmp) \
	MOVQ  $0xCF1BBCDCB7A56463, tmp \
	IMULQ tmp, r                   \
	SHRQ  $(64-const_longLog), r

// longTable is where the long hashes' table lies behind that of the short ones.
#define longTable (Encoder_long-Encoder_short)

// func doubleBMI2(e *Encoder, b *block) (anchor uint)
TEXT ·doubleBMI2(SB), NOSPLIT, $8-24
	START

search:
	CMPQ    R8, LIMIT
	JAE     done
	MOVQ    (SI)(R8*1), AX
	MOVQ    AX, BX
	LONG(BX, CX)
	MOVQ    AX, CX
	HASH(CX)
	MOVWLZX longTable(DI)(BX*2), DX
	MOVWLZX (DI)(CX*2), R14
	MOVW    R8, longTable(DI)(BX*2)
	MOVW    R8, (DI)(CX*2)
	MOVQ    R8, BX
	SUBQ    R10, BX
	MOVQ    AX, CX
	SHRQ    $8, CX
	CMPL    CX, 1(SI)(BX*1)
	JEQ     again
	CMPQ    AX, (SI)(DX*1)
	JEQ     long
	CMPL    AX, (SI)(R14*1)
	JEQ     short
	MOVQ    R8, CX
	SUBQ    R9, CX
	SHRQ    $8, CX
	LEAQ    1(R8)(CX*1), R8
	JMP     search

again:
	MOVQ R8, BP
	INCQ R8
	LEAQ 4(R8), BX
	MOVQ BX, CX
	SUBQ R10, CX
	SAME(again1, again2, again3)
	MOVL $1, CX
	EMIT(again4, again5)
	JMP  after

long:
	MOVQ R8, BP
	LEAQ 8(R8), BX
	LEAQ 8(DX), CX
	JMP  found

	// A long match at the next position is better than this one.
short:
	MOVQ    R8, BP
	MOVQ    1(SI)(R8*1), AX
	MOVQ    AX, BX
	LONG(BX, CX)
	MOVWLZX longTable(DI)(BX*2), DX
	LEAL    1(R8), CX
	MOVW    CX, longTable(DI)(BX*2)
	CMPQ    AX, (SI)(DX*1)
	JEQ     longer
	MOVQ    R14, DX
	LEAQ    4(R8), BX
	LEAQ    4(DX), CX
	JMP     found

longer:
	INCQ R8
	LEAQ 8(R8), BX
	LEAQ 8(DX), CX

found:
	SAME(found1, found2, found3)
	MOVQ R9, R14
	BACK(found4, found5)
	MOVQ R10, R11
	MOVQ R8, R10
	SUBQ DX, R10
	LEAL 3(R10), CX
	EMIT(found6, found7)

after:
	CMPQ R8, LIMIT
	JAE  done
	MOVQ 2(SI)(BP*1), AX
	LEAL 2(BP), DX
	MOVQ AX, BX
	LONG(BX, CX)
	MOVW DX, longTable(DI)(BX*2)
	HASH(AX)
	MOVW DX, (DI)(AX*2)
	MOVQ -2(SI)(R8*1), AX
	LONG(AX, CX)
	LEAL -2(R8), DX
	MOVW DX, longTable(DI)(AX*2)
	MOVQ -1(SI)(R8*1), AX
	HASH(AX)
	INCL DX
	MOVW DX, (DI)(AX*2)

other:
	CMPQ R8, LIMIT
	JAE  done
	MOVQ R8, DX
	SUBQ R11, DX
	JCS  search
	MOVQ (SI)(R8*1), AX
	CMPL AX, (SI)(DX*1)
	JNE  search
	MOVQ AX, BX
	LONG(BX, CX)
	MOVW R8, longTable(DI)(BX*2)
	HASH(AX)
	MOVW R8, (DI)(AX*2)
	LEAQ 4(R8), BX
	LEAQ 4(DX), CX
	SAME(other1, other2, other3)
	COPY
	JMP  other

done:
	FINISH
	MOVQ R9, anchor+16(FP)
	RET
