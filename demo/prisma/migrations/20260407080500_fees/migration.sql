-- CreateEnum
CREATE TYPE "fee_status" AS ENUM ('PENDING', 'APPROVED', 'PAID', 'CANCELLED');

-- AlterTable
ALTER TABLE "concerts" ADD COLUMN     "fee" DECIMAL(10,2) NOT NULL DEFAULT 2400;

-- CreateTable
CREATE TABLE "fees" (
    "id" SERIAL NOT NULL,
    "invitation_id" INTEGER NOT NULL,
    "amount" DECIMAL(10,2) NOT NULL,
    "currency" CHAR(3) NOT NULL DEFAULT 'SEK',
    "status" "fee_status" NOT NULL DEFAULT 'PENDING',
    "created_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "fees_pkey" PRIMARY KEY ("id")
);

-- CreateTable
CREATE TABLE "fee_changes" (
    "id" BIGSERIAL NOT NULL,
    "fee_id" INTEGER NOT NULL,
    "old_amount" DECIMAL(10,2) NOT NULL,
    "new_amount" DECIMAL(10,2) NOT NULL,
    "old_status" "fee_status" NOT NULL,
    "new_status" "fee_status" NOT NULL,
    "changed_by" TEXT NOT NULL DEFAULT CURRENT_USER,
    "changed_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,

    CONSTRAINT "fee_changes_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE UNIQUE INDEX "fees_invitation_id_key" ON "fees"("invitation_id");

-- CreateIndex
CREATE INDEX "fees_status_idx" ON "fees"("status");

-- CreateIndex
CREATE INDEX "fee_changes_fee_id_idx" ON "fee_changes"("fee_id");

-- AddForeignKey
ALTER TABLE "fees" ADD CONSTRAINT "fees_invitation_id_fkey" FOREIGN KEY ("invitation_id") REFERENCES "invitations"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "fee_changes" ADD CONSTRAINT "fee_changes_fee_id_fkey" FOREIGN KEY ("fee_id") REFERENCES "fees"("id") ON DELETE CASCADE ON UPDATE CASCADE;

ALTER TABLE "concerts" ADD CONSTRAINT "concerts_fee_check" CHECK ("fee" >= 0);

ALTER TABLE "fees" ADD CONSTRAINT "fees_amount_check" CHECK ("amount" >= 0);
