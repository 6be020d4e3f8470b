"""Identity and tax numbers, one line a kind.

`form` is written as the number is on paper: `d` is a digit, `A` a letter, `x` either; a class in brackets and what is in
parentheses stand for themselves; space, full stop, hyphen and slash are its separators. From it come up to three rows:

- behind one of `words`, with any separators or none: 0.9;
- written just so, without a word: `written`;
- without separators and without a word: `bare`.

A score says how often chance makes such a number: one check digit lets one of ten or eleven through, so without a word
it is worth 0.4 or less, under the detector's `min_score`; two check digits, a check letter and a date, or a form that
nothing else has make it 0.5 and more. None: there is no such row.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lockgate.detectors import pii_checks as eu
from lockgate.detectors import pii_checks_world as world


@dataclass(frozen=True, slots=True)
class Number:
    """A kind of number. `check` judges it without separators, in capitals; `loose`, where there is one, does so behind a
    word."""

    label: str
    form: str
    check: Callable[[str], bool]
    written: float | None
    bare: float | None
    words: str
    loose: Callable[[str], bool] | None = None


_H = "[0-9LMNP-V]"  # Italy puts letters for digits where two people would have the same code
_FISCAL = f"AAA AAA {_H}{_H}[A-EHLMPRST]{_H}{_H} A{_H}{_H}{_H}A"
_B = "[AC-HJKMNP-RT-Y]"  # Medicare uses no letters that look like digits
_N = "[0-9AC-HJKMNP-RT-Y]"

IDENTITY: tuple[Number, ...] = (
    # Europe
    Number("AT_SVNR", "dddd dddddd", eu.at_svnr, 0.5, 0.3, "svnr|sv-?nummer|sozialversicherungs-?(?:nummer|nr)"),
    Number("BE_NATIONAL_NUMBER", "dd.dd.dd-ddd.dd", eu.be_national_number, 0.9, 0.6, "rijksregister(?:nummer)?|insz|niss|registre national|numero national"),
    Number("BG_EGN", "dddddddddd", eu.bg_egn, None, 0.3, "egn|ЕГН|егн|единен граждански номер"),
    Number("CH_AHV", "756.dddd.dddd.dd", eu.ch_ahv, 0.9, 0.7, "ahv|avs|ahvn13|navs13"),
    Number("CZ_SK_BIRTH_NUMBER", "dddddd/dddd", eu.cz_birth_number, 0.8, 0.3, "rodne cislo|birth number"),
    Number("DE_SOCIAL_INSURANCE", "dd dddddd A ddd", eu.de_social_insurance, 0.8, 0.6, "rentenversicherungs-?(?:nummer|nr)|rvnr|sozialversicherungs-?(?:nummer|nr)|sv-?nummer|vsnr"),
    Number("DE_TAX_ID", "dd ddd ddd ddd", eu.de_tax_id, 0.7, 0.5, "steuer-?id|idnr|steuer-?idnr|steueridentifikationsnummer|steuerliche identifikationsnummer|tax id|tin"),
    Number("DK_CPR", "dddddd-dddd", eu.dk_cpr, 0.6, 0.2, "cpr|personnummer|cpr-?nummer", eu.dk_cpr_day),
    Number("EE_LT_PERSONAL_CODE", "ddddddddddd", eu.ee_lt_code, None, 0.4, "isikukood|asmens kodas|personal code"),
    Number("ES_NIE", "[XYZ]-ddddddd-A", eu.es_nie, 0.7, 0.6, "nie"),
    Number("ES_NIF", "dddddddd-A", eu.es_nif, 0.6, 0.5, "dni|nif|documento nacional"),
    Number("FI_PERSONAL_IDENTITY_CODE", "dddddd[-+A-FU-Y]dddx", eu.fi_code, 0.8, None, "hetu|henkilotunnus|personbeteckning"),
    Number("FR_NIR", "[1-478] dd dd d[0-9AB] ddd ddd dd", eu.fr_nir, 0.9, 0.8, "nir|numero de securite sociale|securite sociale|n[o°] ?secu|insee"),
    Number("GR_AMKA", "ddddddddddd", eu.gr_amka, None, 0.3, "amka|αμκα"),
    Number("HR_OIB", "ddddddddddd", eu.mod_11_10, None, 0.2, "oib|osobni identifikacijski broj"),
    Number("IE_PPS", "dddddddAA?", eu.ie_pps, None, 0.4, "pps|ppsn|personal public service"),
    Number("IT_FISCAL_CODE", _FISCAL, eu.it_fiscal_code, 0.9, 0.9, "codice fiscale|cod\\. ?fisc|c\\.f"),
    Number("NL_BSN", "dddd.dd.ddd", eu.nl_bsn, 0.4, 0.2, "bsn|burgerservicenummer|sofinummer"),
    Number("NO_FODSELSNUMMER", "dddddd ddddd", eu.no_number, 0.6, 0.5, "fodselsnummer|fnr|personnummer|d-nummer"),
    Number("PL_PESEL", "ddddddddddd", eu.pl_pesel, None, 0.4, "pesel"),
    Number("PT_NIF", "ddd ddd ddd", eu.pt_nif, 0.3, 0.2, "nif|contribuinte|numero fiscal"),
    Number("RO_CNP", "ddddddddddddd", eu.ro_cnp, None, 0.4, "cnp|cod numeric personal"),
    Number("RU_INN", "dddddddddddd", eu.ru_inn, None, 0.4, "inn|ИНН|инн"),
    Number("RU_SNILS", "ddd-ddd-ddd dd", eu.ru_snils, 0.9, 0.3, "snils|СНИЛС|снилс"),
    Number("SE_PERSONNUMMER", "(?:dd)?dddddd-dddd", eu.se_number, 0.6, 0.3, "personnummer|pnr|samordningsnummer|pers\\.? ?nr"),
    Number("UK_NHS", "ddd ddd dddd", eu.uk_nhs, 0.4, 0.2, "nhs"),
    Number("UK_NINO", "AA dd dd dd [A-D]", eu.uk_nino, 0.7, 0.5, "nino?|national insurance"),
    # The Americas
    Number("AR_CUIT", "dd-dddddddd-d", world.ar_cuit, 0.7, 0.3, "cui[tl]"),
    Number("BR_CNPJ", "dd.ddd.ddd/dddd-dd", world.br_cnpj, 0.9, 0.4, "cnpj"),
    Number("BR_CPF", "ddd.ddd.ddd-dd", world.br_cpf, 0.9, 0.4, "cpf|cadastro de pessoas? fisicas?"),
    Number("CA_SIN", "ddd-ddd-ddd", world.ca_sin, 0.4, 0.2, "sin|social insurance|nas|assurance sociale"),
    Number("CL_RUT", "d?d.ddd.ddd-[0-9Kk]", world.cl_rut, 0.8, None, "rut|run|rol unico"),
    Number("MX_CURP", "A[AEIOUX]AAdddddd[HMX]AA[B-DF-HJ-NP-TV-Z]{3}xd", world.mx_curp, None, 0.9, "curp"),
    Number("MX_RFC", "[A-Z&]{4}ddddddxx[0-9A]", world.mx_rfc, None, 0.6, "rfc"),
    Number("US_ITIN", "ddd-dd-dddd", world.us_itin, 0.6, 0.2, "itin|individual taxpayer"),
    Number("US_MEDICARE_ID", f"[1-9]{_B}{_N}d-{_B}{_N}d-{_B}{_B}dd", lambda _: True, 0.8, 0.5, "mbi|medicare"),
    # Asia, Africa, Oceania
    Number("AU_ABN", "dd ddd ddd ddd", world.au_abn, 0.6, 0.4, "abn|business number"),
    Number("AU_MEDICARE", "dddd ddddd d", world.au_medicare, 0.5, 0.2, "medicare"),
    Number("AU_TFN", "ddd ddd ddd", world.au_tfn, 0.3, 0.2, "tfn|tax file"),
    Number("CN_RESIDENT_ID", "ddddddddddddddddd[0-9Xx]", world.cn_resident_id, None, 0.9, "身份证|身份證|公民身份|resident id"),
    Number("HK_ID", "A?Adddddd([0-9A])", world.hk_id, 0.8, 0.4, "hkid|香港身份證|香港身份证|身份證"),
    Number("IL_ID", "ddddddddd", world.il_id, None, 0.1, "teudat zehut|תעודת זהות|ת\\.ז"),
    Number("IN_AADHAAR", "dddd dddd dddd", world.in_aadhaar, 0.4, 0.2, "aadhaa?r|uidai?|आधार"),
    Number("IN_PAN", "AAA[ABCFGHJLPT]AddddA", lambda _: True, None, 0.5, "pan|permanent account"),
    Number("JP_MY_NUMBER", "dddd dddd dddd", world.jp_my_number, 0.3, 0.1, "my number|マイナンバー|個人番号"),
    Number("KR_RRN", "dddddd-ddddddd", world.kr_rrn, 0.8, 0.4, "rrn|resident registration|주민등록번호|주민번호", world.kr_rrn_day),
    Number("MY_NRIC", "dddddd-dd-dddd", world.my_nric, 0.5, 0.2, "nric|mykad|kad pengenalan|ic"),
    Number("NZ_IRD", "d?dd-ddd-ddd", world.nz_ird, 0.4, 0.2, "ird"),
    Number("SG_NRIC_FIN", "[STFGM]dddddddA", world.sg_nric, None, 0.7, "nric|fin"),
    Number("TH_TNIN", "d-dddd-ddddd-dd-d", world.th_tnin, 0.8, 0.3, "บัตรประชาชน|เลขประจำตัวประชาชน|thai id"),
    Number("TR_TCKN", "ddddddddddd", world.tr_tckn, None, 0.4, "t\\.?c\\.? ?kimlik|tckn|kimlik"),
    Number("TW_ID", "A[1289]dddddddd", world.tw_id, None, 0.6, "身分證|身份證字號|taiwan id"),
    Number("ZA_ID", "dddddd dddd ddd", world.za_id, 0.6, 0.3, "sa id|south african id|rsa id|identity|id (?:number|no)"),
)  # fmt: skip
"""Numbers that say who a person (AU_ABN, BR_CNPJ: a firm) is."""

THINGS: tuple[Number, ...] = (
    Number("ABA_ROUTING_NUMBER", "ddddddddd", world.aba_routing, None, 0.2, "routing|aba|rtn|transit"),
    Number("IMEI", "dd dddddd dddddd d", world.imei, 0.3, 0.2, "imei"),
    Number("MEDICAL_LICENSE", "[A-HJ-MP-UX]xddddddd", world.us_dea, None, 0.4, "dea"),
    Number("US_NPI", "dddddddddd", world.us_npi, None, 0.2, "npi|provider identifier"),
    Number("VIN", "[0-9A-HJ-NPR-Z]{17}", world.vin, None, 0.4, "vin|chassis|fahrgestell-?(?:nummer|nr)|vehicle identification"),
)  # fmt: skip
"""Numbers of banks, devices, vehicles and of those who prescribe: a person's by what belongs to whom."""
