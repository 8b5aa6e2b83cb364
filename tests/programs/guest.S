/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tests/programs/guest.S - a boot sector that is all of a guest: memory is filled, and looked at when it is told to.
 *
 * Each page from 1 MiB to END begins with 64 words of its own, a multiple of its number; the serial port gets '+' when that
 * is done. Then, for each byte that comes from there: 'c' compares all pages and answers '=' or '!'; 'w' stores a
 * word into the middle of every other page, and answers 'w'; others compare what 'w' stored, too.
 */
	.code16
	.globl	_start
	.set	FIRST, 0x100000
	.set	END, 0x2000000
	.set	PORT, 0x3f8

_start:
	cli
	xorw	%ax, %ax
	movw	%ax, %ds
	movw	%ax, %ss
	movw	$0x7c00, %sp
	inb	$0x92, %al	/* all address lines */
	orb	$2, %al
	andb	$0xfe, %al
	outb	%al, $0x92
	lgdtl	gdt_pointer
	movl	%cr0, %eax
	orb	$1, %al
	movl	%eax, %cr0
	ljmpl	$8, $protected

	.code32
protected:
	movw	$16, %ax
	movw	%ax, %ds
	movw	%ax, %es
	movw	%ax, %ss
	cld
	movl	$FIRST, %edi
fill:
	call	word_of_page
	movl	$64, %ecx
	rep stosl
	addl	$4096 - 256, %edi
	cmpl	$END, %edi
	jb	fill
	xorl	%ebp, %ebp	/* what 'w' has stored */
	movb	$'+', %bl
answer:
	movw	$PORT + 5, %dx
1:	inb	%dx, %al
	testb	$0x20, %al
	jz	1b
	movb	%bl, %al
	movw	$PORT, %dx
	outb	%al, %dx
	movw	$PORT + 5, %dx
2:	inb	%dx, %al	/* wait for a byte */
	testb	$1, %al
	jz	2b
	movw	$PORT, %dx
	inb	%dx, %al
	cmpb	$'w', %al
	je	store

	movl	$FIRST, %edi
	movb	$'!', %bl
compare:
	call	word_of_page
	movl	$64, %ecx
	repe scasl
	jne	answer
	andl	$-4096, %edi
	movl	%ebp, %eax
	testl	$4096, %edi
	jz	3f
	xorl	%eax, %eax
3:	cmpl	2048(%edi), %eax
	jne	answer
	addl	$4096, %edi
	cmpl	$END, %edi
	jb	compare
	movb	$'=', %bl
	jmp	answer

store:
	movl	$0x12345678, %ebp
	movl	$FIRST, %edi
4:	movl	%ebp, 2048(%edi)
	addl	$8192, %edi
	cmpl	$END, %edi
	jb	4b
	movb	$'w', %bl
	jmp	answer

word_of_page:
	movl	%edi, %eax
	shrl	$12, %eax
	imull	$0x9e3779b1, %eax, %eax
	ret

	.balign	8
gdt:
	.quad	0
	.quad	0x00cf9a000000ffff
	.quad	0x00cf92000000ffff
gdt_pointer:
	.word	gdt_pointer - gdt - 1
	.long	gdt
	.org	510
	.word	0xaa55
