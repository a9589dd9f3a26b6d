-- CreateEnum
CREATE TYPE "invitation_status" AS ENUM ('SENT', 'ACCEPTED', 'DECLINED', 'WITHDRAWN');

-- CreateTable
CREATE TABLE "invitations" (
    "id" SERIAL NOT NULL,
    "gig_id" INTEGER NOT NULL,
    "musician_id" INTEGER NOT NULL,
    "status" "invitation_status" NOT NULL DEFAULT 'SENT',
    "message" TEXT,
    "sent_at" TIMESTAMPTZ(3) NOT NULL DEFAULT CURRENT_TIMESTAMP,
    "responded_at" TIMESTAMPTZ(3),

    CONSTRAINT "invitations_pkey" PRIMARY KEY ("id")
);

-- CreateIndex
CREATE INDEX "invitations_musician_id_idx" ON "invitations"("musician_id");

-- CreateIndex
CREATE UNIQUE INDEX "invitations_gig_id_musician_id_key" ON "invitations"("gig_id", "musician_id");

-- AddForeignKey
ALTER TABLE "invitations" ADD CONSTRAINT "invitations_gig_id_fkey" FOREIGN KEY ("gig_id") REFERENCES "gigs"("id") ON DELETE CASCADE ON UPDATE CASCADE;

-- AddForeignKey
ALTER TABLE "invitations" ADD CONSTRAINT "invitations_musician_id_fkey" FOREIGN KEY ("musician_id") REFERENCES "musicians"("id") ON DELETE RESTRICT ON UPDATE CASCADE;

-- Two people cannot sit on one chair. Prisma's schema has no word for a partial index.
CREATE UNIQUE INDEX "invitations_one_accepted" ON "invitations"("gig_id") WHERE ("status" = 'ACCEPTED');

-- Who has answered has a time of answering, and the other way round; a withdrawn invitation may have either.
ALTER TABLE "invitations" ADD CONSTRAINT "invitations_responded_at_check"
    CHECK (("status" IN ('ACCEPTED', 'DECLINED')) = ("responded_at" IS NOT NULL) OR "status" = 'WITHDRAWN');
