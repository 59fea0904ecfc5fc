#include "go_asm.h"
#include "textflag.h"
#include "search_amd64.h"

// func fastBMI2(e *Encoder, b *block) (anchor uint)
TEXT ·fastBMI2(SB), NOSPLIT, $8-24
	START

search:
	CMPQ    R8, LIMIT
	JAE     done
	MOVQ    (SI)(R8*1), AX
	MOVQ    AX, BX
	HASH(BX)
	MOVQ    AX, CX
	SHRQ    $8, CX
	MOVL    CX, R14
	HASH(CX)
	MOVWLZX (DI)(BX*2), DX
	MOVWLZX (DI)(CX*2), BP
	MOVW    R8, (DI)(BX*2)
	LEAL    1(R8), BX
	MOVW    BX, (DI)(CX*2)
	MOVQ    R8, BX
	SUBQ    R10, BX
	MOVQ    AX, CX
	SHRQ    $16, CX
	CMPL    CX, 2(SI)(BX*1)
	JEQ     again
	CMPL    AX, (SI)(DX*1)
	JEQ     here
	CMPL    R14, (SI)(BP*1)
	JEQ     behind
	MOVQ    R8, CX
	SUBQ    R9, CX
	SHRQ    $6, CX
	LEAQ    2(R8)(CX*1), R8
	JMP     search

again:
	ADDQ $2, R8
	MOVQ R8, DX
	SUBQ R10, DX
	LEAQ 4(R8), BX
	LEAQ 4(DX), CX
	SAME(again1, again2, again3)
	LEAQ 1(R9), R14
	BACK(again4, again5)
	MOVL $1, CX
	EMIT(again6, again7)
	JMP  search

behind:
	MOVQ BP, DX
	MOVQ R8, BP
	INCQ R8
	JMP  found

here:
	MOVQ R8, BP

found:
	LEAQ 4(R8), BX
	LEAQ 4(DX), CX
	SAME(found1, found2, found3)
	MOVQ R9, R14
	BACK(found4, found5)
	MOVQ R10, R11
	MOVQ R8, R10
	SUBQ DX, R10
	LEAL 3(R10), CX
	EMIT(found6, found7)
	CMPQ R8, LIMIT
	JAE  done
	MOVQ 2(SI)(BP*1), AX
	HASH(AX)
	LEAL 2(BP), CX
	MOVW CX, (DI)(AX*2)
	MOVQ -2(SI)(R8*1), AX
	HASH(AX)
	LEAL -2(R8), CX
	MOVW CX, (DI)(AX*2)

other:
	CMPQ R8, LIMIT
	JAE  done
	MOVQ R8, CX
	SUBQ R11, CX
	JCS  search
	MOVQ (SI)(R8*1), AX
	CMPL AX, (SI)(CX*1)
	JNE  search
	HASH(AX)
	MOVW R8, (DI)(AX*2)
	LEAQ 4(R8), BX
	ADDQ $4, CX
	SAME(other1, other2, other3)
	COPY
	JMP  other

done:
	FINISH
	MOVQ R9, anchor+16(FP)
	RET
